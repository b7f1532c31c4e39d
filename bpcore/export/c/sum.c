/* a + b. Without registers for double, GCC's function for ARM truncates a difference of numbers
 * whose exponents differ by 33 (seen with version 12). What it loses is known exactly (Dekker) and
 * added again. */
static double net_sum(double a, double b)
{
    double sum = a + b;
#if defined(__arm__) && !(defined(__ARM_FP) && __ARM_FP & 8)
    if (sum - sum == 0) {
        int a_is_larger = (a < 0 ? -a : a) > (b < 0 ? -b : b);
        double larger = a_is_larger ? a : b, other = a_is_larger ? b : a;
        sum += other - (sum - larger);
    }
#endif
    return sum;
}
