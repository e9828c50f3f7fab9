import { GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { isCode } from '../../errors.ts';
import type { CloudUrl } from '../url.ts';
import { type Asked, awsError } from './errors.ts';

/** A queue by its name. Its URL is asked for when it is first needed, and again when the queue turns out to be gone. */
export class NamedQueue {
  readonly client: SQSClient;
  readonly name: string;
  readonly #place: CloudUrl;
  readonly #asked: Omit<Asked, 'operation'>;
  #url: Promise<string> | undefined;

  constructor(client: SQSClient, place: CloudUrl) {
    this.client = client;
    this.name = place.path;
    this.#place = place;
    const resource = `arn:aws:sqs:${place.host}:*:${place.path}`;
    this.#asked = { service: 'sqs', resource, credentials: place.credentials };
  }

  /** Another queue beside this one. */
  sibling(name: string): NamedQueue {
    return new NamedQueue(this.client, { ...this.#place, path: name });
  }

  /** Makes a request to the queue; every error as a ClobiError. */
  async ask<R>(operation: string, request: (url: string) => Promise<R>): Promise<R> {
    try {
      return await request(await this.#findUrl());
    } catch (error) {
      const known = this.errorOf(operation, error);
      if (isCode(known, 'NOT_FOUND')) this.#url = undefined;
      throw known;
    }
  }

  /** Makes a request that brings the queue into being. */
  async create(request: () => Promise<{ QueueUrl?: string | undefined }>): Promise<void> {
    try {
      const { QueueUrl } = await request();
      this.#url = QueueUrl === undefined ? undefined : Promise.resolve(QueueUrl);
    } catch (error) {
      throw this.errorOf('CreateQueue', error);
    }
  }

  errorOf(operation: string, error: unknown) {
    return awsError(error, { ...this.#asked, operation });
  }

  #findUrl(): Promise<string> {
    this.#url ??= this.#ask().catch((error: unknown) => {
      this.#url = undefined;
      throw this.errorOf('GetQueueUrl', error);
    });
    return this.#url;
  }

  async #ask(): Promise<string> {
    const { QueueUrl } = await this.client.send(new GetQueueUrlCommand({ QueueName: this.name }));
    if (QueueUrl === undefined) throw new Error('the answer names no queue');
    return QueueUrl;
  }
}
