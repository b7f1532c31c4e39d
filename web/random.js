// NumPy's legacy generator, RandomState: MT19937 (Matsumoto and Nishimura 1998).

const N = 624, M = 397;

export class RandomState {
  /** @param {number} seed @param {(x: number) => number} log of which normal numbers are made */
  constructor(seed, log = Math.log) {
    this.log = log;
    this.kept = null;
    this.state = new Uint32Array(N);
    this.place = N;
    this.state[0] = seed;
    for (let i = 1; i < N; i++) {
      const before = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, before) + i;
    }
  }

  #word() {
    if (this.place === N) this.#refill();
    let y = this.state[this.place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #refill() {
    const s = this.state;
    for (let i = 0; i < N; i++) {
      const y = (s[i] & 0x80000000) | (s[(i + 1) % N] & 0x7fffffff);
      s[i] = s[(i + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.place = 0;
  }

  /** A double in [0, 1) of 53 bits. */
  random() {
    const high = this.#word() >>> 5, low = this.#word() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  uniform(low, high) {
    return low + (high - low) * this.random();
  }

  /** A normal number by Marsaglia's polar method, which makes two at a time. */
  normal() {
    if (this.kept !== null) {
      const kept = this.kept;
      this.kept = null;
      return kept;
    }
    let x, y, square;
    do {
      x = 2 * this.random() - 1;
      y = 2 * this.random() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square === 0);
    const factor = Math.sqrt((-2 * this.log(square)) / square);
    this.kept = factor * x;
    return factor * y;
  }
}
