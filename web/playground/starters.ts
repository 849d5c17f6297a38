/** A query to start from, in a tab named after its operation. */
export interface Starter {
  query: string;
  /** JSON text. */
  variables?: string;
}

const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const json = (value: object) => JSON.stringify(value, null, 2);

export const STARTERS: Starter[] = [
  {
    query: `# What went wrong lately, newest first.
# Control+Enter runs it.
query NewestErrors {
  logs(filter: { minSeverity: ERROR }, first: 20) {
    totalCount {
      value
      precision
    }
    nodes {
      createdAt
      severity
      module
      action
      actorEmail
      resourceType
      resourceId
      data
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`,
  },
  {
    query: `# Who did what to one thing, from its start,
# and what changed. Variables say which.
query ResourceHistory(
  $type: String!
  $id: String!
) {
  logs(
    filter: { resourceType: $type, resourceId: $id }
    orderBy: OLDEST_FIRST
    first: 50
  ) {
    nodes {
      sequence
      occurredAt
      action
      actorName
      actorEmail
      onBehalfOfId
      changes {
        path
        before
        after
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`,
    variables: json({ type: 'user', id: '42' }),
  },
  {
    query: `# All that one person did in 24 hours.
# Variables hold a query line; more of it:
#   module:guardian severity>=WARNING
#   -action:users.login "free text"
query ActorsLastDay($query: String!) {
  logs(filter: { query: $query }, first: 100) {
    totalCount(exact: true) {
      value
    }
    nodes {
      createdAt
      module
      action
      severity
      resourceType
      resourceId
      ipAddress
      requestId
    }
  }
}
`,
    variables: json({ query: 'actor:ana@example.com since:-24h' }),
  },
  {
    query: `# How much, how grave and by whom, in a week
# and day by day in your time zone.
query WeekInFigures(
  $query: String!
  $timeZone: String!
) {
  logStats(
    filter: { query: $query }
    timeZone: $timeZone
  ) {
    totalEntries
    entriesToday
    entriesThisWeek
    entriesBySeverity {
      key
      count
    }
    timeline(interval: DAY) {
      start
      count
      bySeverity {
        key
        count
      }
    }
    actions: facet(field: ACTION, first: 5) {
      key
      count
    }
    actors: facet(field: ACTOR, first: 5) {
      key
      count
    }
  }
}
`,
    variables: json({ query: 'since:-7d', timeZone: HERE }),
  },
  {
    query: `# A file of all from WARNING up: open the
# downloadUrl on this server to get it.
# It holds one client's entries; who may
# export several names it in Headers:
#   {"X-Client-Id": "…"}
mutation ExportWarnings {
  exportLogs(
    input: {
      format: CSV
      includeData: true
      filter: { minSeverity: WARNING }
    }
  ) {
    recordCount
    filename
    downloadUrl
    expiresAt
  }
}
`,
  },
];
