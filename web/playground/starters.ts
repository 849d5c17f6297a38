import { exportClients, type Session } from './session.ts';

/** A query to start from, in a tab named after its operation. */
export interface Starter {
  query: string;
  /** JSON text. */
  variables?: string;
  /** JSON text. */
  headers?: string;
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
      onBehalfOfName
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
    variables: json({ type: 'invoice', id: 'invoice-4711' }),
  },
  {
    query: `# All that one person did in two weeks.
# Variables hold a query line; more of it:
#   module:guardian severity>=WARNING
#   -action:users.login "free text"
query ActorsLastWeeks($query: String!) {
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
    variables: json({ query: 'actor:"Tom Becker" since:-2w' }),
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
# export several names it in Headers.
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
  {
    query: `# Entries as they are sealed, until it is
# stopped. Write one to see it arrive; in
# the demo they keep arriving.
subscription Live {
  logAdded(filter: { minSeverity: INFO }) {
    sequence
    createdAt
    module
    action
    actorName
  }
}
`,
  },
  {
    query: `# The newest entry's proof that it is in
# the signed log, and the log's newest
# checkpoint.
query Proof {
  logs(first: 1) {
    nodes {
      id
      sequence
      proof {
        leafIndex
        leafHash
        path
        checkpoint {
          treeSize
          rootHash
        }
      }
    }
  }
  checkpoint {
    treeSize
    rootHash
    sealedAt
    note
  }
}
`,
  },
];

/** The same for whoever is signed in: the export of one who may export several clients begins with the first of them. */
export function startersFor(session: Session | null): Starter[] {
  const [client, ...others] = exportClients(session);
  if (!client || others.length === 0) return STARTERS;
  return STARTERS.map((starter) =>
    starter.query.includes('exportLogs(')
      ? { ...starter, headers: json({ 'X-Client-Id': client }) }
      : starter,
  );
}
