/** Characters of a template. */
export const templateLengthMax = 128 * 1024;
/** Characters that a template may become. */
export const templateOutputLengthMax = 1024 * 1024;
/** Parts that are evaluated, loops included. */
export const templateStepsMax = 500_000;
/** Blocks and parentheses within each other, and templates that call each other. */
export const templateDepthMax = 50;
/** Names that one template may ask for. */
export const templateNeedsMax = 256;
