import { describe } from 'node:test';
import { makeService, serviceContract } from '../../helpers/service-contract.ts';

describe('service', () => serviceContract(makeService));
