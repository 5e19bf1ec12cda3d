// The port to the partitions in which events are kept, one a month.

export abstract class EventPartitions {
  /**
   * Makes the partitions of the months to come, so that no command has to wait for one. Quick when there are enough.
   * @throws DomainError `unavailable`
   */
  abstract ensure(): Promise<void>;
}
