/*
 * What one expression may cost. Its size is bounded when it is compiled; what it does with the values of a request is
 * counted in steps as it runs, and no value can make it go on beyond them.
 */

export const mostCharacters = 4096;
/** Operators, calls, names and literals. */
export const mostNodes = 500;
/** Brackets within brackets, and members of members. */
export const mostLevels = 40;
/** For one evaluation. About 5 ms where all of them go into the dearest operation, on a slow machine. */
export const mostSteps = 100_000;
/** Longest text that an operation may make, in UTF-16 units. */
export const mostText = 65_536;
/** Instructions of a compiled regular expression: each of them may look at each character. */
export const mostInstructions = 1000;
