static real net_max(real a, real b)
{
    return b < a ? a : b;
}
