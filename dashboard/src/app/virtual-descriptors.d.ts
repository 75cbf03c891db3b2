/** The part of the contract that the page speaks: a serialized set of file descriptors, in base64. */
declare module "virtual:descriptors" {
  const base64: string;
  export default base64;
}
declare module "*.css";
