// One client: a JavaScript application on the OpenTelemetry SDK with the OTLP/JSON exporter, configured by the OTEL_*
// variables alone. Sends the spans of the file in argv[3], writes each request that its exporter made to the folder in
// argv[2], and prints what the exporter reported as JSON. Knows nothing of gramtrace.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const [, , out, scenarioFile] = process.argv;
const scenario = JSON.parse(readFileSync(scenarioFile, 'utf8'));
const reports = { traces: [] };

/** Makes `exporter` keep what it sends, in the bytes that it sends, and what it reported for it. */
function recorded(exporter) {
  const send = exporter.export.bind(exporter);
  exporter.export = (spans, done) => {
    writeFileSync(join(out, `traces-${reports.traces.length}.json`), JsonTraceSerializer.serializeRequest(spans));
    send(spans, (result) => {
      reports.traces.push(result.code === 0 ? 'SUCCESS' : `FAILURE: ${result.error}`);
      done(result);
    });
  };
  return exporter;
}

const provider = new BasicTracerProvider({
  resource: resourceFromAttributes(scenario.resource),
  spanProcessors: [new BatchSpanProcessor(recorded(new OTLPTraceExporter()))],
});

const base = Math.floor(Date.now() / 1000) - 60;
const at = (ms) => [base + Math.floor(ms / 1000), (ms % 1000) * 1e6];
const open = new Map();
for (const spec of scenario.spans) {
  const [scope, version] = scenario.scopes[spec.scope];
  const context = spec.parent ? trace.setSpan(ROOT_CONTEXT, open.get(spec.parent)) : ROOT_CONTEXT;
  const options = { kind: SpanKind[spec.kind], startTime: at(spec.start_ms) };
  const span = provider.getTracer(scope, version).startSpan(spec.name, options, context);
  for (const [key, value] of spec.attributes) span.setAttribute(key, value);
  if (spec.event) span.addEvent(spec.event, { bytes: 312 }, at(0));
  if (spec.error) span.setStatus({ code: SpanStatusCode.ERROR, message: spec.error });
  open.set(spec.name, span);
}
for (const spec of [...scenario.spans].reverse()) open.get(spec.name).end(at(spec.end_ms));

await provider.shutdown();
console.log(JSON.stringify(reports));
