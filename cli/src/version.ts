/** Version of the command and of the cluster that it starts; a test compares it with package.json. */
export const version = "0.1.0";
