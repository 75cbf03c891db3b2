/** Brackets, blocks, operators and templates inside one another. Beyond: `syntax/too-deep`. */
export const depthMax = 100;
/** UTF-8 bytes of one file. Beyond: `syntax/too-large`. */
export const sourceBytesMax = 1024 * 1024;
/** Attributes, blocks and expressions of one file. Beyond: `syntax/too-many-nodes`. */
export const nodesMax = 50_000;
