/** Where masters listen if nobody says otherwise. */
export const masterAddressDefault = "127.0.0.1:5050";
