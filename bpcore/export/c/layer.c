/* z[j] = b[j] + sum_i x[i] W[i][j], the terms in ascending order, each one fused multiply-add. A
 * term with a factor of zero changes nothing and is left out. */
static void net_layer(const real *restrict x, int inputs, const real *restrict W,
                      const real *restrict b, int outputs, real *restrict z)
{
    for (int j = 0; j < outputs; j++) z[j] = b[j];
    for (int i = 0; i < inputs; i++, W += outputs) {
        const real x_i = x[i];
        if (x_i == 0) continue;
        for (int j = 0; j < outputs; j++) z[j] = net_fma(x_i, W[j], z[j]);
    }
}
