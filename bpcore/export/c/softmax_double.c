/* a_j = exp(z_j - max z) / sum_k exp(z_k - max z), in place. */
static void net_softmax(double *z, int n)
{
    double highest = z[0], sum = 0;
    for (int j = 1; j < n; j++) highest = z[j] > highest ? z[j] : highest;
    for (int j = 0; j < n; j++) z[j] = net_exp(net_sum(z[j], -highest));
    for (int j = 0; j < n; j++) sum = net_sum(sum, z[j]);
    for (int j = 0; j < n; j++) z[j] /= sum;
}
