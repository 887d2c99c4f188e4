/** The odd primes below 168, against which ROCA keys are recognised. */
const primes = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113,
  127, 131, 137, 139, 149, 151, 157, 163, 167,
] as const;

/**
 * Was this RSA modulus made by the smart-card library of CVE-2017-15361 (ROCA), so that it can be factored? Its primes
 * are a power of 65537 modulo a product of small primes, hence so is the modulus, modulo every one of them; about one
 * sound key in 2^27 looks the same.
 */
export function isRocaModulus(modulus: bigint): boolean {
  return primes.every((prime) => isPowerOf65537(Number(modulus % BigInt(prime)), prime));
}

function isPowerOf65537(residue: number, prime: number): boolean {
  const generator = 65537 % prime;
  let power = 1;
  do {
    if (power === residue) return true;
    power = (power * generator) % prime;
  } while (power !== 1);
  return false;
}
