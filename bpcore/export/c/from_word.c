static real net_from_word(word bits)
{
    real x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
