export { waitFor } from '../../shared/wait.ts';
