// The connections to the database; whoever keeps the pools knows.

export abstract class Connections {
  abstract use(): { readonly total: number; readonly idle: number; readonly waiting: number };
}
