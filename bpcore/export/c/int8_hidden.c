/* A hidden layer: a[j] = z, the scaled sum clamped to lowest ... 127, or table[z + 128]. */
static void net_hidden(const int8_t *q, int inputs, const int8_t *W, const int32_t *b,
                       const int32_t *multipliers, const uint8_t *shifts, int outputs, int offset,
                       int lowest, const int8_t *table, int8_t *a)
{
    for (int j = 0; j < outputs; j++, W += inputs) {
        int64_t z = offset + net_scaled_sum(q, W, inputs, b[j], multipliers[j], shifts[j]);
        z = z < lowest ? lowest : z > 127 ? 127 : z;
        a[j] = table ? table[z + 128] : (int8_t)z;
    }
}
