/** Who the ready-made tokens of development are: made-up ids that stay the same, so that links go on working. */
export const SAMPLE = {
  tenantId: '0196f2f0-0000-7000-8000-00000000a001',
  clientId: '0196f2f0-0000-7000-8000-00000000c001',
  person: { id: '0196f2f0-0000-7000-8000-00000000b001', email: 'ana@example.com', name: 'Ana Souza' },
};
