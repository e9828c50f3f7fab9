import { Document, Scalar, visit } from 'yaml';
import { escapeCode, LEFT_BY_WRITERS } from './escape.ts';

/** YAML that is harmless on a terminal and the same value when read. */
export function safeYaml(value: unknown): string {
  const document = new Document(value);
  visit(document, {
    Scalar(_key, node) {
      // Only double-quoted text may hold escapes.
      if (typeof node.value === 'string' && node.value.search(LEFT_BY_WRITERS) >= 0)
        node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return document.toString({ lineWidth: 0 }).replace(LEFT_BY_WRITERS, escapeCode);
}
