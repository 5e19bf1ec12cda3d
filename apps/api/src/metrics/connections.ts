// The counts of connections to the database, which the connection pools give.

export abstract class Connections {
  abstract use(): { readonly total: number; readonly idle: number; readonly waiting: number };
}
