/**
 * A character that XML 1.0 cannot hold, half a surrogate pair among them. Messages of SQS are XML whatever protocol they come
 * by, and S3 lists keys in XML.
 */
export const NOT_IN_XML = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;
