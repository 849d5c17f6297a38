// Loaded before Reel, by NODE_OPTIONS='--import /path/to/start-tracing.mjs', where @opentelemetry/sdk-node is installed beside this
// file. Reads OTEL_EXPORTER_OTLP_ENDPOINT and its family (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
import { NodeSDK } from '@opentelemetry/sdk-node';

const sdk = new NodeSDK();
sdk.start();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void sdk.shutdown().catch(() => {}));
