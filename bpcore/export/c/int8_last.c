/* The last layer: z[j], the scaled sum clamped to what float holds exactly. */
static void net_last(const int8_t *q, int inputs, const int8_t *W, const int32_t *b,
                     const int32_t *multipliers, const uint8_t *shifts, int outputs, int32_t *z)
{
    const int64_t limit = 1 << 24;
    for (int j = 0; j < outputs; j++, W += inputs) {
        const int64_t sum = net_scaled_sum(q, W, inputs, b[j], multipliers[j], shifts[j]);
        z[j] = (int32_t)(sum < -limit ? -limit : sum > limit ? limit : sum);
    }
}
