// The port to the partitions of the events, one a month.

export abstract class EventPartitions {
  /**
   * Creates the partitions of the coming months, so that no command waits for one. Returns quickly when they exist.
   * @throws DomainError `unavailable`
   */
  abstract ensure(): Promise<void>;
}
