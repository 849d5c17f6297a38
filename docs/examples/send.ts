/** A module that only sends: createLog over the wire, safe to repeat under its idempotency key. */
export async function report(reelUrl: string, token: string, input: Record<string, unknown>) {
  const query = 'mutation ($input: CreateLogInput!) { createLog(input: $input) { id createdAt } }';
  const response = await fetch(`${reelUrl}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(`${errors[0].extensions.code}: ${errors[0].message}`);
  return data.createLog as { id: string; createdAt: string };
}
