static real net_min(real a, real b)
{
    return a < b ? a : b;
}
