// Thrown by a decision that has to wait for the next batch: what it would take away is granted by this one.

export class PutOff extends Error {}
