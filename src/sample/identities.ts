/** The identities of development's tokens: fixed, so that links keep working. */
export const SAMPLE = {
  tenantId: '0196f2f0-0000-7000-8000-00000000a001',
  clientId: '0196f2f0-0000-7000-8000-00000000c001',
  person: { id: '0196f2f0-0000-7000-8000-00000000b001', email: 'ana@example.com', name: 'Ana Souza' },
};
