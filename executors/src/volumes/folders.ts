/** Where the volumes of an agent lie. */
export function volumesFolder(dataFolder: string): string {
  return `${dataFolder}/volumes`;
}

/** Where one of them lies. */
export function volumeFolder(dataFolder: string, id: string): string {
  return `${volumesFolder(dataFolder)}/${id}`;
}
