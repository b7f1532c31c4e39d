/* Predicts the rows of a text file, EGG_INPUTS numbers a row: ./predict FILE */
#include "build/egg.h"

#include <stdio.h>

static const char *const names[EGG_OUTPUTS] = {"plate", "white", "yolk"};

/* How many numbers of the next row there are: all, or none at the end of the file. */
static int read_row(FILE *file, float x[EGG_INPUTS])
{
    int count = 0;
    while (count < EGG_INPUTS && fscanf(file, "%f", &x[count]) == 1) count++;
    return count;
}

static int predict(FILE *file)
{
    float x[EGG_INPUTS], y[EGG_OUTPUTS];
    int count;
    while ((count = read_row(file, x)) == EGG_INPUTS) {
        const int class = egg_class(x);
        egg_forward(x, y);
        printf("%5.2f %5.2f  %s %.6f\n", x[0], x[1], names[class], y[class]);
    }
    if (count == 0 && feof(file)) return 0;
    fprintf(stderr, "a row is cut, or holds something that is no number\n");
    return 1;
}

int main(int count, char **arguments)
{
    const int differing = egg_certificate();
    printf("%d words differ from bpcore's\n", differing);
    if (differing) return 1;
    if (count != 2) {
        fprintf(stderr, "usage: predict FILE\n");
        return 2;
    }
    FILE *file = fopen(arguments[1], "r");
    if (!file) {
        perror(arguments[1]);
        return 1;
    }
    const int status = predict(file);
    fclose(file);
    return status;
}
