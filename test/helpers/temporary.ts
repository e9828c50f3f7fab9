export { temporaryDirectory } from '../../shared/temporary.ts';
