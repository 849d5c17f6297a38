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

/** An entry as a module, or the browser of a signed-in person, reports it. */
export type CreateLogInput = {
  /** 1 to 255 characters, as module. */
  action: string;
  /** Who acted, as actorId; at most 320 characters. */
  actorEmail?: string | null | undefined;
  /** Who acted: modules only; a person's identity is taken from the credential (a sub that is an e-mail address becomes actorEmail, actorId null), and any of them that differs from it is BAD_USER_INPUT. An e-mail address, as a whole text of the form [^\\s@]+@[^\\s@]+\\.[^\\s@]+, is refused as actorId and as onBehalfOfId. At most 255, 320 and 255 characters. */
  actorId?: string | null | undefined;
  /** Who acted, as actorId; at most 255 characters. */
  actorName?: string | null | undefined;
  /** Modules only. */
  actorType?: ActorType | null | undefined;
  /** The client of the tenant that it is about. */
  clientId?: string | null | undefined;
  /** At most 65,536 bytes as compact JSON in UTF-8 and as PostgreSQL prints it, 32 levels deep (the object itself is the first). Each name once an object. A number is taken where its decimal value is that of the shortest text which ECMAScript gives for the double (0.1 and 1.10 are), it is no integer beyond ±(2^53 - 1), and its plain form has at most 300 digits; -0 is 0; send others as text. What is stored already is not measured by this. */
  data?: Record<string, unknown> | null | undefined;
  /** 1 to 200 characters, unique within tenant and writer (the module or the person). The same key with the same content (as canonical JSON after defaults; fields of the second edition count only where given, so that keys taken before still answer; with repair the mended content counts, and repair itself does not) is stored once and answered with the first entry, as long as that entry is kept; with other content: CONFLICT. Twice in one createLogs is one entry, answered twice. */
  idempotencyKey?: string | null | undefined;
  /** Of a module's entry: what it says, null where it says nothing. Any spelling (a port, brackets or zone are taken off, ::ffff:10.0.0.1 is 10.0.0.1). Of a person's: the connection's. */
  ipAddress?: string | null | undefined;
  /** 1 to 100 characters, no control, format or bidirectional characters, no white space around; `reel` and what looks like it are Reel's own. */
  module: string;
  /** Not more than a day ahead; digits past microseconds other than zeros are refused. */
  occurredAt?: string | null | undefined;
  /** Modules only. At most 255 characters each. */
  onBehalfOfId?: string | null | undefined;
  /** As onBehalfOfId: what a person calls whom the actor acted for. */
  onBehalfOfName?: string | null | undefined;
  /** How it ended. */
  outcome?: LogOutcome | null | undefined;
  /** Modules only. Instead of being refused for it, an entry whose descriptive fields are out of bounds is stored with them mended, and `repaired` names them: a text that is too long is cut and ends in …, NUL and lone surrogates become U+FFFD (other control characters are kept as they are, but in module and action, which refuse them), an address that is none becomes null, an e-mail address as actorId moves to actorEmail, data past its bounds becomes {"_truncated": true, "_bytes": n, "_sha256": lower-case hex, both of the compact JSON that came, "_text": as many of its first characters, at most 32,768, as keep the whole within bounds}, a number that no double holds becomes text, digits of occurredAt past microseconds are cut. Ids of actor, request, resource and on-behalf-of are descriptive; where an e-mail address was given as actorId beside an actorEmail, the actorEmail is kept; a name that stands twice is refused all the same. Required fields, ids of tenants and clients, severity and outcome are never guessed at. */
  repair?: boolean;
  /** At most 255 characters; a UUID is kept in lower case. A person's, where none is given: the request's own (X-Request-Id or traceparent). */
  requestId?: string | null | undefined;
  /** At most 1,024 characters and 2,048 bytes in UTF-8; a UUID is kept in lower case. */
  resourceId?: string | null | undefined;
  /** At most 255 characters. */
  resourceName?: string | null | undefined;
  /** At most 100 characters. */
  resourceType?: string | null | undefined;
  /** How grave it is. */
  severity?: LogSeverity;
  /** Modules only, and there required; a person's tenant is taken from the call, and another one is BAD_USER_INPUT. The nil UUID is BAD_USER_INPUT, as it is for clientId. */
  tenantId?: string | null | undefined;
  /** The same. At most 1,000 characters; a longer one from a person's request is cut. */
  userAgent?: string | null | undefined;
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

export type EntryFieldsFragment = { id: string, module: string, action: string, severity: LogSeverity, resourceType: string | null, resourceId: string | null, data: Record<string, unknown> | null, actorId: string | null, actorEmail: string | null, actorName: string | null, tenantId: string, clientId: string | null, ipAddress: string | null, userAgent: string | null, requestId: string | null, createdAt: string, origin: LogOrigin, occurredAt: string, sequence: number | null, onBehalfOfId: string | null, actorType: ActorType, outcome: LogOutcome | null, onBehalfOfName: string | null, resourceName: string | null, repaired: Array<string> };

export type LogPageQueryVariables = Exact<{
  filter?: LogFilter | null | undefined;
  first?: number | null | undefined;
  page?: number | null | undefined;
}>;


export type LogPageQuery = { logs: { nodes: Array<{ id: string, module: string, action: string, severity: LogSeverity, resourceType: string | null, resourceId: string | null, data: Record<string, unknown> | null, actorId: string | null, actorEmail: string | null, actorName: string | null, tenantId: string, clientId: string | null, ipAddress: string | null, userAgent: string | null, requestId: string | null, createdAt: string, origin: LogOrigin, occurredAt: string, sequence: number | null, onBehalfOfId: string | null, actorType: ActorType, outcome: LogOutcome | null, onBehalfOfName: string | null, resourceName: string | null, repaired: Array<string> }>, pageInfo: { searchedUntil: string | null }, totalCount: { value: number } } };

export type LogEntryQueryVariables = Exact<{
  id: string;
}>;


export type LogEntryQuery = { log: { id: string, module: string, action: string, severity: LogSeverity, resourceType: string | null, resourceId: string | null, data: Record<string, unknown> | null, actorId: string | null, actorEmail: string | null, actorName: string | null, tenantId: string, clientId: string | null, ipAddress: string | null, userAgent: string | null, requestId: string | null, createdAt: string, origin: LogOrigin, occurredAt: string, sequence: number | null, onBehalfOfId: string | null, actorType: ActorType, outcome: LogOutcome | null, onBehalfOfName: string | null, resourceName: string | null, repaired: Array<string> } | null };

export type LogCountsQueryVariables = Exact<{ [key: string]: never; }>;


export type LogCountsQuery = { logStats: { totalEntries: number, entriesToday: number, entriesThisWeek: number, entriesBySeverity: Array<{ key: string | null, count: number }>, entriesByModule: Array<{ key: string | null, count: number }> } };

export type LogsQueryVariables = Exact<{
  filter?: LogFilter | null | undefined;
  orderBy?: LogOrder;
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
  page?: number | null | undefined;
  count?: boolean;
  exact?: boolean;
}>;


export type LogsQuery = { logs: { nodes: Array<{ id: string, module: string, action: string, severity: LogSeverity, resourceType: string | null, resourceId: string | null, data: Record<string, unknown> | null, actorId: string | null, actorEmail: string | null, actorName: string | null, tenantId: string, clientId: string | null, ipAddress: string | null, userAgent: string | null, requestId: string | null, createdAt: string, origin: LogOrigin, occurredAt: string, sequence: number | null, onBehalfOfId: string | null, actorType: ActorType, outcome: LogOutcome | null, onBehalfOfName: string | null, resourceName: string | null, repaired: Array<string> }>, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null, searchedUntil: string | null }, totalCount?: { value: number, precision: CountPrecision } } };

export type LogQueryVariables = Exact<{
  id: string;
  details?: boolean;
}>;


export type LogQuery = { log: { id: string, module: string, action: string, severity: LogSeverity, resourceType: string | null, resourceId: string | null, data: Record<string, unknown> | null, actorId: string | null, actorEmail: string | null, actorName: string | null, tenantId: string, clientId: string | null, ipAddress: string | null, userAgent: string | null, requestId: string | null, createdAt: string, origin: LogOrigin, occurredAt: string, sequence: number | null, onBehalfOfId: string | null, actorType: ActorType, outcome: LogOutcome | null, onBehalfOfName: string | null, resourceName: string | null, repaired: Array<string> } & { erasedAt?: string | null, changeCount?: number, changes?: Array<{ path: string, before: string | null, after: string | null }>, related?: Array<{ id: string, module: string, action: string, severity: LogSeverity, createdAt: string }>, proof?: { leafIndex: number, leafHash: string, identitySalt: string | null, dataSalt: string | null, identityDigest: string, dataDigest: string | null, path: Array<string>, checkpoint: { tenantId: string, treeSize: number, rootHash: string, sealedAt: string, note: string } } | null } | null };

export type LogStatsQueryVariables = Exact<{
  filter?: LogFilter | null | undefined;
  timeZone?: string;
  interval?: StatsInterval;
  timeline?: boolean;
  facets?: boolean;
}>;


export type LogStatsQuery = { logStats: { totalEntries: number, entriesToday: number, entriesThisWeek: number, entriesBySeverity: Array<{ key: string | null, count: number }>, entriesByModule: Array<{ key: string | null, count: number }>, timeline?: Array<{ start: string, end: string, count: number, bySeverity: Array<{ key: string | null, count: number }> }> } & { modules?: Array<{ key: string | null, count: number }>, actions?: Array<{ key: string | null, count: number }>, severities?: Array<{ key: string | null, count: number }>, actors?: Array<{ key: string | null, count: number }> } };

export type CreateLogMutationVariables = Exact<{
  input: CreateLogInput;
}>;


export type CreateLogMutation = { createLog: { id: string, module: string, action: string, severity: LogSeverity, resourceType: string | null, resourceId: string | null, data: Record<string, unknown> | null, actorId: string | null, actorEmail: string | null, actorName: string | null, tenantId: string, clientId: string | null, ipAddress: string | null, userAgent: string | null, requestId: string | null, createdAt: string, origin: LogOrigin, occurredAt: string, sequence: number | null, onBehalfOfId: string | null, actorType: ActorType, outcome: LogOutcome | null, onBehalfOfName: string | null, resourceName: string | null, repaired: Array<string> } };

export type ExportLogsMutationVariables = Exact<{
  input: ExportLogsInput;
}>;


export type ExportLogsMutation = { exportLogs: { downloadUrl: string, filename: string, recordCount: number, expiresAt: string } };

export type LogAddedSubscriptionVariables = Exact<{
  filter?: LogFilter | null | undefined;
  after?: number | null | undefined;
}>;


export type LogAddedSubscription = { logAdded: { id: string, module: string, action: string, severity: LogSeverity, resourceType: string | null, resourceId: string | null, data: Record<string, unknown> | null, actorId: string | null, actorEmail: string | null, actorName: string | null, tenantId: string, clientId: string | null, ipAddress: string | null, userAgent: string | null, requestId: string | null, createdAt: string, origin: LogOrigin, occurredAt: string, sequence: number | null, onBehalfOfId: string | null, actorType: ActorType, outcome: LogOutcome | null, onBehalfOfName: string | null, resourceName: string | null, repaired: Array<string> } };

export type LogEndQueryVariables = Exact<{ [key: string]: never; }>;


export type LogEndQuery = { logs: { nodes: Array<{ sequence: number | null }> } };

/** The text of an operation, typed by its result and variables. */

export type Operation<Result, Variables> = string & { __apiType?: (variables: Variables) => Result };

const EntryFields = `fragment EntryFields on LogEntry{id module action severity resourceType resourceId data actorId actorEmail actorName tenantId clientId ipAddress userAgent requestId createdAt origin occurredAt sequence onBehalfOfId actorType outcome onBehalfOfName resourceName repaired}`;

export const LogPageDocument: Operation<LogPageQuery, LogPageQueryVariables> = `query LogPage($filter:LogFilter$first:Int$page:Int){logs(filter:$filter first:$first page:$page){nodes{...EntryFields}pageInfo{searchedUntil}totalCount(exact:true){value}}}${EntryFields}`;

export const LogEntryDocument: Operation<LogEntryQuery, LogEntryQueryVariables> = `query LogEntry($id:UUID!){log(id:$id){...EntryFields}}${EntryFields}`;

export const LogCountsDocument: Operation<LogCountsQuery, LogCountsQueryVariables> = `query LogCounts{logStats{totalEntries entriesBySeverity{key count}entriesByModule{key count}entriesToday entriesThisWeek}}`;

export const LogsDocument: Operation<LogsQuery, LogsQueryVariables> = `query Logs($filter:LogFilter$orderBy:LogOrder!=NEWEST_FIRST$first:Int$after:String$last:Int$before:String$page:Int$count:Boolean!=false$exact:Boolean!=false){logs(filter:$filter orderBy:$orderBy first:$first after:$after last:$last before:$before page:$page){nodes{...EntryFields}pageInfo{hasNextPage hasPreviousPage startCursor endCursor searchedUntil}totalCount(exact:$exact)@include(if:$count){value precision}}}${EntryFields}`;

export const LogDocument: Operation<LogQuery, LogQueryVariables> = `query Log($id:UUID!$details:Boolean!=true){log(id:$id){...EntryFields ...@include(if:$details){erasedAt changeCount changes{path before after}related{id module action severity createdAt}proof{leafIndex leafHash identitySalt dataSalt identityDigest dataDigest path checkpoint{tenantId treeSize rootHash sealedAt note}}}}}${EntryFields}`;

export const LogStatsDocument: Operation<LogStatsQuery, LogStatsQueryVariables> = `query LogStats($filter:LogFilter$timeZone:String!="UTC"$interval:StatsInterval!=DAY$timeline:Boolean!=false$facets:Boolean!=false){logStats(filter:$filter timeZone:$timeZone){totalEntries entriesBySeverity{key count}entriesByModule{key count}entriesToday entriesThisWeek timeline(interval:$interval)@include(if:$timeline){start end count bySeverity{key count}}...@include(if:$facets){modules:facet(field:MODULE){key count}actions:facet(field:ACTION){key count}severities:facet(field:SEVERITY){key count}actors:facet(field:ACTOR){key count}}}}`;

export const CreateLogDocument: Operation<CreateLogMutation, CreateLogMutationVariables> = `mutation CreateLog($input:CreateLogInput!){createLog(input:$input){...EntryFields}}${EntryFields}`;

export const ExportLogsDocument: Operation<ExportLogsMutation, ExportLogsMutationVariables> = `mutation ExportLogs($input:ExportLogsInput!){exportLogs(input:$input){downloadUrl filename recordCount expiresAt}}`;

export const LogAddedDocument: Operation<LogAddedSubscription, LogAddedSubscriptionVariables> = `subscription LogAdded($filter:LogFilter$after:Count){logAdded(filter:$filter after:$after){...EntryFields}}${EntryFields}`;

export const LogEndDocument: Operation<LogEndQuery, LogEndQueryVariables> = `query LogEnd{logs(first:20){nodes{sequence}}}`;