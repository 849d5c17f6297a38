/**
 * The bare way to read, to compare with: node:http and pg, one named statement for each address, and its rows as JSON.
 * Arguments: the database's URL and the tenant.
 */
import { createServer } from 'node:http';
import pg from 'pg';

const [databaseUrl, tenantId] = process.argv.slice(2);
const COLUMNS = `id, module, action, severity, actor_id, actor_email, actor_name, tenant_id, client_id, resource_type, resource_id,
  data, host(ip_address) as ip_address, user_agent, request_id, created_at`;

const pool = new pg.Pool({
  connectionString: databaseUrl,
  max: 10,
  options: `-c timezone=UTC -c jit=off -c reel.tenant_id=${tenantId} -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_sort=off`,
  types: {
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      oid === 1184 ? (text: string) => text : pg.types.getTypeParser(oid, format as 'text'),
  },
});

const statements: Record<string, { name: string; text: string }> = {
  '/list': {
    name: 'list',
    text: `select ${COLUMNS} from reel_log_entries where tenant_id = $1 order by id desc limit 50`,
  },
  '/one': { name: 'one', text: `select ${COLUMNS} from reel_log_entries where tenant_id = $1 and id = $2` },
};

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url!, 'http://bare');
  const values = [tenantId, ...searchParams.values()];
  request.resume().on('end', () => {
    pool.query({ ...statements[pathname]!, values }).then(
      ({ rows }) => {
        const text = JSON.stringify(pathname === '/one' ? rows[0] : { items: rows });
        response.writeHead(200, {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
        });
        response.end(text);
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as { port: number }).port));
