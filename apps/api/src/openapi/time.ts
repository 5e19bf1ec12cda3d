/** An instant of an answer, as the OpenAPI document describes it: ISO 8601 in UTC, to the microsecond. */
export const TIME = { type: String, format: 'date-time', example: '2026-11-21T09:30:00.123456Z' };
