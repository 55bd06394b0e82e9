"""The trajectory of Almgren and Chriss without its closed form: the minimum of mean + lambda * variance.

With x_k the share left after slice k (x_0 = 1, x_N = 0), n_k = x_{k-1} - x_k and slices of one minute, the cost has the
mean  gamma/2 + (eta - gamma/2) * sum n_k^2  and the variance  sigma^2 * sum_{k>=1} x_k^2  (equations 10 and 11 of the
paper). Setting the derivatives to zero gives one linear equation for each x_k, three unknowns wide, solved here in exact
fractions. Prints the values that crates/engine/src/core/algorithms/almgren_chriss.rs is compared with.
"""

from fractions import Fraction

N = 30
SIGMA2 = Fraction("0.18") ** 2 / (252 * 390)
PASSING = (Fraction("5.0") - Fraction("0.1") / 2) / 10_000


def left(risk_aversion: Fraction) -> list[Fraction]:
    """-x_{k-1} + (2 + lambda sigma^2 / passing) x_k - x_{k+1} = 0 for k = 1 .. N-1, by elimination."""
    middle = 2 + risk_aversion * SIGMA2 / PASSING
    factors: list[Fraction] = []
    rests: list[Fraction] = []
    for k in range(1, N):
        before = factors[-1] if factors else Fraction(0)
        rest = rests[-1] if rests else Fraction(1)
        factors.append(1 / (middle - before))
        rests.append(rest / (middle - before))
    shares = [Fraction(0)]
    for factor, rest in zip(reversed(factors), reversed(rests)):
        shares.append(rest + factor * shares[-1])
    return [Fraction(1), *reversed(shares)]


if __name__ == "__main__":
    print("// Made by tests/independent/almgren_chriss.py: λ, slices done, share left.")
    print("const WANTED: [(f64, u32, f64); 12] = [")
    for risk_aversion in ("0", "1", "10"):
        shares = left(Fraction(risk_aversion))
        for k in (1, 5, 15, 29):
            print(f"    ({float(Fraction(risk_aversion))}, {k}, {float(shares[k])}),")
    print("];")
