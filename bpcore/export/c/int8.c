/* q = zero point + (x - shift) factor, rounded to the nearest, halves away from zero. */
static int8_t net_step(float x, float shift, float factor, int zero_point)
{
    float steps = (x - shift) * factor;
    if (!(steps > -512)) steps = -512; /* Beyond int8, whatever the zero point; NaN, too. */
    if (steps > 512) steps = 512;
    const int q = (int)(steps < 0 ? steps - 0.5f : steps + 0.5f) + zero_point;
    return (int8_t)(q < -128 ? -128 : q > 127 ? 127 : q);
}

/* (b + sum_i W[i] q[i]) multiplier / 2^shift, rounded to the nearest, halves upwards. */
static int64_t net_scaled_sum(const int8_t *q, const int8_t *W, int inputs, int32_t b,
                              int32_t multiplier, int shift)
{
    int32_t sum = b;
    for (int i = 0; i < inputs; i++) sum += (int32_t)W[i] * q[i];
    const int64_t product = (int64_t)sum * multiplier + ((int64_t)1 << (shift - 1));
    return product >= 0 ? product >> shift : ~(~product >> shift);
}
