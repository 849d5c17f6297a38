/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
/** What kind of actor acted. Default: SYSTEM where no actor field is given, else USER. */
export type ActorType =
  /** A program that acts for a person, such as an AI agent. */
  | 'AGENT'
  /** Somebody who was not signed in. */
  | 'ANONYMOUS'
  /** Another program, by an account of its own. */
  | 'SERVICE'
  /** The module itself, as by a schedule. */
  | 'SYSTEM'
  /** A person. */
  | 'USER';

/** EXACT: every match counted. AT_LEAST: counting stopped at the cap; at least this many match. */
export type CountPrecision =
  /** Counting stopped early: there are at least so many. */
  | 'AT_LEAST'
  /** Every match was counted. */
  | 'EXACT';

/** A new stream. */
export type CreateStreamInput = {
  /** Where to begin: after this sequence; none: with what is sealed from now on. */
  after?: number | null | undefined;
  /** Only entries of this client. */
  clientId?: string | null | undefined;
  /** In what shape. */
  format?: StreamFormat;
  /** What it delivers to. */
  kind: StreamKind;
  /** 1 to 100 characters. */
  name: string;
  /** A query line that entries must match. */
  query?: string;
  /** Write only: what signs or opens the receiver, or env:NAME or file:PATH. */
  secret?: string | null | undefined;
  /** Its kind's settings: see docs/streams.md. */
  settings: Record<string, unknown>;
};

/** One condition on a value in data, for example {path: "invoice.amount", op: GT, value: "1000"}. */
export type DataCondition = {
  /** How it is compared. */
  op?: DataOperator;
  /** Keys joined by dots, a key with other characters than letters, digits, _ and - in double quotes, [*] for any item of an array: after.\"card.type\", items[*].sku. At most 255 characters. */
  path: string;
  /** Compared as a number where both are numbers, else as text, exactly; true, false and null as JSON's. Not for EXISTS. */
  value?: string | null | undefined;
};

/** How a value in data is compared. */
export type DataOperator =
  /** Is the value. */
  | 'EQ'
  /** Is there, whatever it is, null included. */
  | 'EXISTS'
  /** Is greater or equal. */
  | 'GE'
  /** Is greater. */
  | 'GT'
  /** Is less or equal. */
  | 'LE'
  /** Is less. */
  | 'LT'
  /** Is not the value; entries that have none there match, too. With [*]: none of the items is. */
  | 'NE';

/** What to export, and in which form. */
export type ExportLogsInput = {
  /** Every field that the entry has, in the order of rest.md, instead of the first edition's columns. */
  allFields?: boolean;
  /** Which entries; all of the client where none is given. */
  filter?: LogFilter | null | undefined;
  /** The form of the file. */
  format?: LogExportFormat;
  /** Whether data is among the fields. */
  includeData?: boolean;
  /** NDJSON only: each line carries what is needed to check it offline. */
  includeProofs?: boolean;
  /** CSV only: a byte order mark and semicolons, as spreadsheets in much of the world expect. */
  spreadsheet?: boolean;
  /** Of bare dates in the query line. */
  timeZone?: string;
};

/** CSV: RFC 4180, for spreadsheets. JSON: one object with all entries. NDJSON: one JSON object a line. */
export type LogExportFormat =
  /** A table with a header line (RFC 4180). */
  | 'CSV'
  /** One object with all entries. */
  | 'JSON'
  /** One JSON object a line; the form that can carry proofs. */
  | 'NDJSON';

/** All conditions must hold; a list means any of, an empty list is no condition; a negated one (not…, NE) also matches entries without a value. Text is compared exactly, except where it says otherwise; a UUID is found in any case, an address in any spelling. */
export type LogFilter = {
  /** A trailing .* means everything below: users.* matches users.create; a trailing * every action that begins so. */
  actions?: Array<string> | null | undefined;
  /** Case does not matter. */
  actorEmail?: string | null | undefined;
  /** A trailing * means every value that begins so. */
  actorIds?: Array<string> | null | undefined;
  /** The whole name; case does not matter. */
  actorName?: string | null | undefined;
  /** One of these kinds of actor acted. */
  actorTypes?: Array<ActorType> | null | undefined;
  /** Of this client. */
  clientId?: string | null | undefined;
  /** Conditions on values in data; all must hold. */
  data?: Array<DataCondition> | null | undefined;
  /** At or before, as the REST filter has always had it. */
  endDate?: string | null | undefined;
  /** The entries with these ids. */
  ids?: Array<string> | null | undefined;
  /** An address or a CIDR block. */
  ipAddress?: string | null | undefined;
  /** This severity or graver. */
  minSeverity?: LogSeverity | null | undefined;
  /** Written by one of these modules. */
  modules?: Array<string> | null | undefined;
  /** None of these, read as in actions. */
  notActions?: Array<string> | null | undefined;
  /** None of these, read as in actorIds. */
  notActorIds?: Array<string> | null | undefined;
  /** Not from this address or CIDR block; entries without an address match, too. */
  notIpAddress?: string | null | undefined;
  /** Written by none of these modules. */
  notModules?: Array<string> | null | undefined;
  /** Texts that are not found, each looked for as by search. */
  notSearch?: Array<string> | null | undefined;
  /** Happened at or after, at or before (occurredAt); startDate and endDate are about createdAt. */
  occurredFrom?: string | null | undefined;
  /** Happened at or before (occurredAt), as occurredFrom. */
  occurredUntil?: string | null | undefined;
  /** For whom the actor acted, by id. */
  onBehalfOfId?: string | null | undefined;
  /** Written by a module, or reported by a signed-in person's browser. */
  origin?: LogOrigin | null | undefined;
  /** Ended in one of these ways. */
  outcomes?: Array<LogOutcome> | null | undefined;
  /** The query line, for example: module:guardian severity>=ERROR -action:users.login actor:ana@example.com "free text". */
  query?: string | null | undefined;
  /** Of this request, trace or correlation. */
  requestId?: string | null | undefined;
  /** About the resource with this id; at most 1,024 characters. */
  resourceId?: string | null | undefined;
  /** About a resource of this type. */
  resourceType?: string | null | undefined;
  /** At most 255 characters, found anywhere in what an entry shows: id, module, action, resource type, id and name, actor id, name and e-mail address, on-behalf-of id and name, user agent, request id, IP address, and any key or any text, number or boolean of data (each taken as written, no JSON escapes); after removal of invisible format characters, NFKC, full case folding, U+0307 behind i dropped, NFKC, white space of any kind as one space; % and _ mean themselves. */
  search?: string | null | undefined;
  /** One of these severities. */
  severities?: Array<LogSeverity> | null | undefined;
  /** At or after. */
  startDate?: string | null | undefined;
};

/** Ties are broken by id, so every order is total. */
export type LogOrder =
  /** From the newest entry to the oldest. */
  | 'NEWEST_FIRST'
  /** From the oldest entry to the newest. */
  | 'OLDEST_FIRST';

/** How an entry came in: written by a module, or reported by a signed-in person's browser. */
export type LogOrigin =
  /** Reported by a signed-in person's browser; who acted is taken from the credential. */
  | 'BROWSER'
  /** Written by a module; who acted is what the module says. */
  | 'MODULE';

/** How it ended, where the module says. */
export type LogOutcome =
  /** It was refused, for want of permission for example. */
  | 'DENIED'
  /** It was tried and did not work. */
  | 'FAILURE'
  /** It was done. */
  | 'SUCCESS';

/** How grave an entry is, from mild to grave. */
export type LogSeverity =
  /** Needs attention at once. */
  | 'CRITICAL'
  /** Detail for those who build or operate the module. */
  | 'DEBUG'
  /** Something failed or was refused. */
  | 'ERROR'
  /** What happens in the normal course of things. */
  | 'INFO'
  /** Unusual, or likely to need attention. */
  | 'WARNING';

/** A view as it is to be; what is left out gets its default. */
export type SaveViewInput = {
  /** Columns of the list: at most 40, of 1 to 255 characters, none twice. */
  columns?: Array<string> | null | undefined;
  /** The time it begins with, inclusive. */
  from?: string | null | undefined;
  /** Of the view to change; none: a new one. At most 100 a person and 100 shared a tenant. */
  id?: string | null | undefined;
  /** 1 to 100 characters. */
  name: string;
  /** The order of the list. */
  orderBy?: LogOrder;
  /** A query line of at most 2,000 characters. */
  query?: string;
  /** 15m, 1h, 24h, 7d or 30d; not with from or to. */
  range?: string | null | undefined;
  /** Whether all who may view in the tenant see it. */
  shared?: boolean;
  /** The time it ends with, inclusive; not before from. */
  to?: string | null | undefined;
};

/** How long each bucket of a timeline is, in the time zone asked for. */
export type StatsInterval =
  /** From midnight to midnight. */
  | 'DAY'
  /** An hour of the clock. */
  | 'HOUR'
  /** A minute of the clock. */
  | 'MINUTE'
  /** A calendar month. */
  | 'MONTH'
  /** From Monday to Monday. */
  | 'WEEK';

/** In what shape a stream delivers entries. */
export type StreamFormat =
  /** Common Event Format; for syslog only. */
  | 'CEF'
  /** Elastic Common Schema; not for OTLP. */
  | 'ECS'
  /** Open Cybersecurity Schema Framework; the whole entry under `unmapped`. */
  | 'OCSF'
  /** Reel's own: the entry as REST shows it. */
  | 'REEL';

/** What a stream delivers to. */
export type StreamKind =
  /** Datadog's logs intake, v2. */
  | 'DATADOG'
  /** Elasticsearch or OpenSearch, by _bulk. */
  | 'ELASTIC'
  /** An OpenTelemetry collector, by OTLP/HTTP logs. */
  | 'OTLP'
  /** A bucket of any S3-compatible store. */
  | 'S3'
  /** Splunk's HTTP Event Collector. */
  | 'SPLUNK'
  /** A syslog server: RFC 5424 over TLS, or over TCP. */
  | 'SYSLOG'
  /** Any HTTPS endpoint: batches in JSON, signed as Standard Webhooks says. */
  | 'WEBHOOK';

/** Whether a stream delivers. */
export type StreamState =
  /** Its receiver said that it is gone (410); it is not tried any more. */
  | 'DISABLED'
  /** Its receiver has refused, or not answered, for more than five minutes; it is tried on. */
  | 'FAILING'
  /** Somebody paused it. */
  | 'PAUSED'
  /** It delivers, or waits for entries. */
  | 'RUNNING';

/** What is given is changed. */
export type UpdateStreamInput = {
  /** Only entries of this client; null: of all. */
  clientId?: string | null | undefined;
  /** In what shape. */
  format?: StreamFormat | null | undefined;
  /** 1 to 100 characters. */
  name?: string | null | undefined;
  /** A query line that entries must match. */
  query?: string | null | undefined;
  /** Write only; null takes it away. */
  secret?: string | null | undefined;
  /** Settings that change, by name; null takes one away. A new address needs secret and headers again. */
  settings?: Record<string, unknown> | null | undefined;
};

export type RowFragment = { id: string, module: string, action: string, severity: LogSeverity, origin: LogOrigin, actorId: string | null, actorEmail: string | null, actorName: string | null, actorType: ActorType, onBehalfOfId: string | null, onBehalfOfName: string | null, clientId: string | null, resourceType: string | null, resourceId: string | null, resourceName: string | null, outcome: LogOutcome | null, ipAddress: string | null, requestId: string | null, occurredAt: string, createdAt: string, sequence: number | null };

export type RowsQueryVariables = Exact<{
  filter?: LogFilter | null | undefined;
  orderBy: LogOrder;
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
  timeZone: string;
  withData: boolean;
}>;


export type RowsQuery = { logs: { nodes: Array<{ data?: Record<string, unknown> | null, id: string, module: string, action: string, severity: LogSeverity, origin: LogOrigin, actorId: string | null, actorEmail: string | null, actorName: string | null, actorType: ActorType, onBehalfOfId: string | null, onBehalfOfName: string | null, clientId: string | null, resourceType: string | null, resourceId: string | null, resourceName: string | null, outcome: LogOutcome | null, ipAddress: string | null, requestId: string | null, occurredAt: string, createdAt: string, sequence: number | null }>, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null, searchedUntil: string | null } } };

export type EntryQueryVariables = Exact<{
  id: string;
}>;


export type EntryQuery = { log: { tenantId: string, userAgent: string | null, data: Record<string, unknown> | null, repaired: Array<string>, erasedAt: string | null, changeCount: number, id: string, module: string, action: string, severity: LogSeverity, origin: LogOrigin, actorId: string | null, actorEmail: string | null, actorName: string | null, actorType: ActorType, onBehalfOfId: string | null, onBehalfOfName: string | null, clientId: string | null, resourceType: string | null, resourceId: string | null, resourceName: string | null, outcome: LogOutcome | null, ipAddress: string | null, requestId: string | null, occurredAt: string, createdAt: string, sequence: number | null, proof: { leafVersion: number, leafIndex: number, leafHash: string, identitySalt: string | null, dataSalt: string | null, identityDigest: string, dataDigest: string | null, path: Array<string>, checkpoint: { tenantId: string, treeSize: number, rootHash: string, sealedAt: string, note: string } } | null, changes: Array<{ path: string, before: string | null, after: string | null }>, related: Array<{ id: string, module: string, action: string, severity: LogSeverity, actorName: string | null, resourceType: string | null, resourceId: string | null, resourceName: string | null, createdAt: string }> } | null };

export type TimelineQueryVariables = Exact<{
  filter?: LogFilter | null | undefined;
  timeZone: string;
  interval: StatsInterval;
}>;


export type TimelineQuery = { logStats: { precision: CountPrecision, searchedUntil: string | null, totalEntries: number, timeline: Array<{ start: string, end: string, count: number, bySeverity: Array<{ key: string | null, count: number }> }> } };

export type BreakdownQueryVariables = Exact<{
  filter?: LogFilter | null | undefined;
  timeZone: string;
}>;


export type BreakdownQuery = { logStats: { precision: CountPrecision, searchedUntil: string | null, modules: Array<{ key: string | null, count: number }>, actions: Array<{ key: string | null, count: number }>, severities: Array<{ key: string | null, count: number }>, outcomes: Array<{ key: string | null, count: number }>, clients: Array<{ key: string | null, label: string | null, count: number }>, actors: Array<{ key: string | null, label: string | null, count: number }> } };

export type VocabularyQueryVariables = Exact<{ [key: string]: never; }>;


export type VocabularyQuery = { logStats: { modules: Array<{ key: string | null, count: number }>, actions: Array<{ key: string | null, count: number }>, severities: Array<{ key: string | null, count: number }>, actors: Array<{ key: string | null, label: string | null, count: number }>, resourceTypes: Array<{ key: string | null, count: number }>, clients: Array<{ key: string | null, label: string | null, count: number }> } };

export type DataSampleQueryVariables = Exact<{ [key: string]: never; }>;


export type DataSampleQuery = { logs: { nodes: Array<{ data: Record<string, unknown> | null }> } };

export type PeopleQueryVariables = Exact<{
  filter: LogFilter;
}>;


export type PeopleQuery = { logStats: { actors: Array<{ key: string | null, label: string | null, count: number }> } };

export type ExportMutationVariables = Exact<{
  input: ExportLogsInput;
}>;


export type ExportMutation = { exportLogs: { downloadUrl: string, filename: string, recordCount: number, expiresAt: string } };

export type TotalQueryVariables = Exact<{
  filter?: LogFilter | null | undefined;
  timeZone: string;
}>;


export type TotalQuery = { logs: { totalCount: { value: number, precision: CountPrecision } } };

export type ClientsQueryVariables = Exact<{ [key: string]: never; }>;


export type ClientsQuery = { logStats: { clients: Array<{ key: string | null, label: string | null }> } };

export type MeQueryVariables = Exact<{ [key: string]: never; }>;


export type MeQuery = { me: { id: string | null, email: string | null, name: string | null, tenants: Array<{ id: string, name: string | null, mayView: boolean, mayManageStreams: boolean, clients: Array<{ id: string, name: string | null }> }> } };

export type StreamFragment = { id: string, name: string, kind: StreamKind, format: StreamFormat, query: string, clientId: string | null, settings: Record<string, unknown>, hasSecret: boolean, state: StreamState, position: number, lagEntries: number, lagSeconds: number, lastDeliveredAt: string | null, lastError: string | null, parkedCount: number, createdAt: string };

export type StreamsQueryVariables = Exact<{ [key: string]: never; }>;


export type StreamsQuery = { streams: Array<{ id: string, name: string, kind: StreamKind, format: StreamFormat, query: string, clientId: string | null, settings: Record<string, unknown>, hasSecret: boolean, state: StreamState, position: number, lagEntries: number, lagSeconds: number, lastDeliveredAt: string | null, lastError: string | null, parkedCount: number, createdAt: string }> };

export type StreamHistoryQueryVariables = Exact<{
  id: string;
}>;


export type StreamHistoryQuery = { stream: { attempts: Array<{ at: string, first: number, last: number, delivered: boolean, answer: string | null }> } | null, parkedEntries: Array<{ sequence: number, entryId: string, reason: string, parkedAt: string }> };

export type CreateStreamMutationVariables = Exact<{
  input: CreateStreamInput;
}>;


export type CreateStreamMutation = { createStream: { id: string, name: string, kind: StreamKind, format: StreamFormat, query: string, clientId: string | null, settings: Record<string, unknown>, hasSecret: boolean, state: StreamState, position: number, lagEntries: number, lagSeconds: number, lastDeliveredAt: string | null, lastError: string | null, parkedCount: number, createdAt: string } };

export type UpdateStreamMutationVariables = Exact<{
  id: string;
  input: UpdateStreamInput;
}>;


export type UpdateStreamMutation = { updateStream: { id: string, name: string, kind: StreamKind, format: StreamFormat, query: string, clientId: string | null, settings: Record<string, unknown>, hasSecret: boolean, state: StreamState, position: number, lagEntries: number, lagSeconds: number, lastDeliveredAt: string | null, lastError: string | null, parkedCount: number, createdAt: string } };

export type PauseStreamMutationVariables = Exact<{
  id: string;
}>;


export type PauseStreamMutation = { pauseStream: { id: string, name: string, kind: StreamKind, format: StreamFormat, query: string, clientId: string | null, settings: Record<string, unknown>, hasSecret: boolean, state: StreamState, position: number, lagEntries: number, lagSeconds: number, lastDeliveredAt: string | null, lastError: string | null, parkedCount: number, createdAt: string } };

export type ResumeStreamMutationVariables = Exact<{
  id: string;
}>;


export type ResumeStreamMutation = { resumeStream: { id: string, name: string, kind: StreamKind, format: StreamFormat, query: string, clientId: string | null, settings: Record<string, unknown>, hasSecret: boolean, state: StreamState, position: number, lagEntries: number, lagSeconds: number, lastDeliveredAt: string | null, lastError: string | null, parkedCount: number, createdAt: string } };

export type ReplayStreamMutationVariables = Exact<{
  id: string;
  after?: number | null | undefined;
  since?: string | null | undefined;
}>;


export type ReplayStreamMutation = { replayStream: { id: string, name: string, kind: StreamKind, format: StreamFormat, query: string, clientId: string | null, settings: Record<string, unknown>, hasSecret: boolean, state: StreamState, position: number, lagEntries: number, lagSeconds: number, lastDeliveredAt: string | null, lastError: string | null, parkedCount: number, createdAt: string } };

export type RetryParkedMutationVariables = Exact<{
  id: string;
}>;


export type RetryParkedMutation = { retryParked: { id: string, name: string, kind: StreamKind, format: StreamFormat, query: string, clientId: string | null, settings: Record<string, unknown>, hasSecret: boolean, state: StreamState, position: number, lagEntries: number, lagSeconds: number, lastDeliveredAt: string | null, lastError: string | null, parkedCount: number, createdAt: string } };

export type TestStreamMutationVariables = Exact<{
  id: string;
}>;


export type TestStreamMutation = { testStream: { delivered: boolean, answer: string | null } };

export type RemoveStreamMutationVariables = Exact<{
  id: string;
}>;


export type RemoveStreamMutation = { removeStream: boolean };

export type ViewFragment = { id: string, name: string, shared: boolean, query: string, range: string | null, from: string | null, to: string | null, columns: Array<string>, orderBy: LogOrder, ownerId: string };

export type ViewsQueryVariables = Exact<{ [key: string]: never; }>;


export type ViewsQuery = { views: Array<{ id: string, name: string, shared: boolean, query: string, range: string | null, from: string | null, to: string | null, columns: Array<string>, orderBy: LogOrder, ownerId: string }> };

export type SaveViewMutationVariables = Exact<{
  input: SaveViewInput;
}>;


export type SaveViewMutation = { saveView: { id: string, name: string, shared: boolean, query: string, range: string | null, from: string | null, to: string | null, columns: Array<string>, orderBy: LogOrder, ownerId: string } };

export type RemoveViewMutationVariables = Exact<{
  id: string;
}>;


export type RemoveViewMutation = { removeView: boolean };

export type ActionsQueryVariables = Exact<{ [key: string]: never; }>;


export type ActionsQuery = { actions: Array<{ module: string, action: string, description: string | null }> };

/** The text of an operation, typed by its result and variables. */

export type Operation<Result, Variables> = string & { __apiType?: (variables: Variables) => Result };

const Row = `fragment Row on LogEntry{id module action severity origin actorId actorEmail actorName actorType onBehalfOfId onBehalfOfName clientId resourceType resourceId resourceName outcome ipAddress requestId occurredAt createdAt sequence}`;

const Stream = `fragment Stream on Stream{id name kind format query clientId settings hasSecret state position lagEntries lagSeconds lastDeliveredAt lastError parkedCount createdAt}`;

const View = `fragment View on SavedView{id name shared query range from to columns orderBy ownerId}`;

export const RowsDocument: Operation<RowsQuery, RowsQueryVariables> = `query Rows($filter:LogFilter$orderBy:LogOrder!$first:Int$after:String$last:Int$before:String$timeZone:String!$withData:Boolean!){logs(filter:$filter orderBy:$orderBy first:$first after:$after last:$last before:$before timeZone:$timeZone){nodes{...Row data@include(if:$withData)}pageInfo{hasNextPage hasPreviousPage startCursor endCursor searchedUntil}}}${Row}`;

export const EntryDocument: Operation<EntryQuery, EntryQueryVariables> = `query Entry($id:UUID!){log(id:$id){...Row tenantId userAgent data repaired erasedAt proof{leafVersion leafIndex leafHash identitySalt dataSalt identityDigest dataDigest path checkpoint{tenantId treeSize rootHash sealedAt note}}changeCount changes{path before after}related(first:50){id module action severity actorName resourceType resourceId resourceName createdAt}}}${Row}`;

export const TimelineDocument: Operation<TimelineQuery, TimelineQueryVariables> = `query Timeline($filter:LogFilter$timeZone:String!$interval:StatsInterval!){logStats(filter:$filter timeZone:$timeZone){precision searchedUntil totalEntries timeline(interval:$interval){start end count bySeverity{key count}}}}`;

export const BreakdownDocument: Operation<BreakdownQuery, BreakdownQueryVariables> = `query Breakdown($filter:LogFilter$timeZone:String!){logStats(filter:$filter timeZone:$timeZone){precision searchedUntil modules:facet(field:MODULE first:50){key count}actions:facet(field:ACTION first:50){key count}severities:facet(field:SEVERITY first:50){key count}outcomes:facet(field:OUTCOME first:5){key count}clients:facet(field:CLIENT first:50){key label count}actors:facet(field:ACTOR first:50){key label count}}}`;

export const VocabularyDocument: Operation<VocabularyQuery, VocabularyQueryVariables> = `query Vocabulary{logStats{modules:facet(field:MODULE first:100){key count}actions:facet(field:ACTION first:100){key count}severities:facet(field:SEVERITY first:5){key count}actors:facet(field:ACTOR first:100){key label count}resourceTypes:facet(field:RESOURCE_TYPE first:100){key count}clients:facet(field:CLIENT first:100){key label count}}}`;

export const DataSampleDocument: Operation<DataSampleQuery, DataSampleQueryVariables> = `query DataSample{logs(first:20){nodes{data}}}`;

export const PeopleDocument: Operation<PeopleQuery, PeopleQueryVariables> = `query People($filter:LogFilter!){logStats(filter:$filter){actors:facet(field:ACTOR first:10){key label count}}}`;

export const ExportDocument: Operation<ExportMutation, ExportMutationVariables> = `mutation Export($input:ExportLogsInput!){exportLogs(input:$input){downloadUrl filename recordCount expiresAt}}`;

export const TotalDocument: Operation<TotalQuery, TotalQueryVariables> = `query Total($filter:LogFilter$timeZone:String!){logs(filter:$filter first:1 timeZone:$timeZone){totalCount{value precision}}}`;

export const ClientsDocument: Operation<ClientsQuery, ClientsQueryVariables> = `query Clients{logStats{clients:facet(field:CLIENT first:100){key label}}}`;

export const MeDocument: Operation<MeQuery, MeQueryVariables> = `query Me{me{id email name tenants{id name mayView mayManageStreams clients{id name}}}}`;

export const StreamsDocument: Operation<StreamsQuery, StreamsQueryVariables> = `query Streams{streams{...Stream}}${Stream}`;

export const StreamHistoryDocument: Operation<StreamHistoryQuery, StreamHistoryQueryVariables> = `query StreamHistory($id:UUID!){stream(id:$id){attempts{at first last delivered answer}}parkedEntries(id:$id first:50){sequence entryId reason parkedAt}}`;

export const CreateStreamDocument: Operation<CreateStreamMutation, CreateStreamMutationVariables> = `mutation CreateStream($input:CreateStreamInput!){createStream(input:$input){...Stream}}${Stream}`;

export const UpdateStreamDocument: Operation<UpdateStreamMutation, UpdateStreamMutationVariables> = `mutation UpdateStream($id:UUID!$input:UpdateStreamInput!){updateStream(id:$id input:$input){...Stream}}${Stream}`;

export const PauseStreamDocument: Operation<PauseStreamMutation, PauseStreamMutationVariables> = `mutation PauseStream($id:UUID!){pauseStream(id:$id){...Stream}}${Stream}`;

export const ResumeStreamDocument: Operation<ResumeStreamMutation, ResumeStreamMutationVariables> = `mutation ResumeStream($id:UUID!){resumeStream(id:$id){...Stream}}${Stream}`;

export const ReplayStreamDocument: Operation<ReplayStreamMutation, ReplayStreamMutationVariables> = `mutation ReplayStream($id:UUID!$after:Count$since:DateTime){replayStream(id:$id after:$after since:$since){...Stream}}${Stream}`;

export const RetryParkedDocument: Operation<RetryParkedMutation, RetryParkedMutationVariables> = `mutation RetryParked($id:UUID!){retryParked(id:$id){...Stream}}${Stream}`;

export const TestStreamDocument: Operation<TestStreamMutation, TestStreamMutationVariables> = `mutation TestStream($id:UUID!){testStream(id:$id){delivered answer}}`;

export const RemoveStreamDocument: Operation<RemoveStreamMutation, RemoveStreamMutationVariables> = `mutation RemoveStream($id:UUID!){removeStream(id:$id)}`;

export const ViewsDocument: Operation<ViewsQuery, ViewsQueryVariables> = `query Views{views{...View}}${View}`;

export const SaveViewDocument: Operation<SaveViewMutation, SaveViewMutationVariables> = `mutation SaveView($input:SaveViewInput!){saveView(input:$input){...View}}${View}`;

export const RemoveViewDocument: Operation<RemoveViewMutation, RemoveViewMutationVariables> = `mutation RemoveView($id:UUID!){removeView(id:$id)}`;

export const ActionsDocument: Operation<ActionsQuery, ActionsQueryVariables> = `query Actions{actions{module action description}}`;