static word net_word(real x)
{
    word bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
