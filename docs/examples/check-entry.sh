#!/bin/sh
# Checks one entry of an NDJSON export with proofs by openssl (3), jq, xxd, base64 and sha256sum alone:
# sh check-entry.sh EXPORT.ndjson KEYS.txt ENTRY_ID
# It follows docs/seal.md: the note's signature, who it was, the entry's leaf, and the path from there to the signed root.
# What stands in data is not looked at, only its digest: jq writes some numbers otherwise than RFC 8785 asks. Nor can it
# judge an entry with the control character DEL, which jq 1.6 writes as an escape.
set -eu
export=$1 keys=$2 id=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hex() { base64 -d | xxd -p -c 64; }
sha256() { sha256sum | cut -d ' ' -f 1; }
refuse() {
  echo "entry $id: $1"
  exit 1
}

# The note: its text up to the empty line, then a signature: 4 bytes of the key's id, 64 of Ed25519.
tail -n 1 "$export" | jq -j .checkpoint >"$work/note"
sed '/^$/,$d' "$work/note" >"$work/text"
sed -n '$s/.* //p' "$work/note" | base64 -d >"$work/signed"
key=$(grep -m 1 -F "+$(head -c 4 "$work/signed" | xxd -p)+" "$keys") || refuse 'the note is signed by no key of the file'
tail -c 64 "$work/signed" >"$work/signature"
# What stands before the 32 bytes of an Ed25519 key (RFC 8410), and the key, which is all past the second +.
{ printf 302a300506032b6570032100 | xxd -r -p && printf %s "$key" | cut -d + -f 3- | base64 -d | tail -c 32; } >"$work/key"
openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key" -rawin -in "$work/text" -sigfile "$work/signature" \
  >"$work/said" 2>&1 || refuse 'the note is not signed by that key'

jq -c --arg id "$id" 'select(.id == $id)' "$export" >"$work/line"
[ "$(wc -l <"$work/line")" -eq 1 ] || refuse 'not in the export exactly once'
proof() { jq "$@" "$work/line"; }
proof -e '.proof.entry as $entry | del(.proof) | to_entries | all(.value == $entry[.key])' >"$work/said" ||
  refuse 'the line says something else than its proof'

# Who it was: the salt, then the four fields as canonical JSON. An erased entry has no salt and no fields.
identity=$(proof -r .proof.identity_digest | hex)
who='.proof.entry | {actor_email, actor_name, ip_address, user_agent}'
if proof -e '.proof.identity_salt == null' >"$work/said"; then
  proof -e "$who | all(. == null)" >"$work/said" || refuse 'changed: who'
else
  [ "$({ proof -r .proof.identity_salt | base64 -d && proof -cjS "$who"; } | sha256)" = "$identity" ] || refuse 'changed: who'
fi

# The leaf: a zero byte and the canonical JSON.
data=$(proof -r '.proof.data_digest // empty' | hex)
hash=$({
  printf '\0'
  proof -cjS --arg identity "$identity" --arg data "$data" '.proof.entry | {
    v: 1, id, tenant_id, module: .module, action, severity, origin, actor_id, on_behalf_of_id, client_id, resource_type,
    resource_id, request_id, occurred_at, created_at, $identity, data: (if $data == "" then null else $data end) }'
} | sha256)

# The path (RFC 9162, section 2.1.3.2): a one byte and two hashes, at each level.
index=$(($(proof .proof.entry.sequence) - 1))
last=$(($(sed -n 2p "$work/text") - 1))
[ "$index" -ge 0 ] && [ "$index" -le "$last" ] || refuse 'not within the signed log'
for step in $(proof -r '.proof.path[]'); do
  step=$(printf %s "$step" | hex)
  if [ $((index % 2)) -eq 1 ] || [ "$index" -eq "$last" ]; then pair=$step$hash; else pair=$hash$step; fi
  hash=$(printf 01%s "$pair" | xxd -r -p | sha256)
  while [ $((index % 2)) -eq 0 ] && [ "$index" -eq "$last" ] && [ "$index" -gt 0 ]; do
    index=$((index / 2)) last=$((last / 2))
  done
  index=$((index / 2)) last=$((last / 2))
done
[ "$last" -eq 0 ] && [ "$hash" = "$(sed -n 3p "$work/text" | hex)" ] || refuse 'its path does not lead to the signed root'
echo "ok entry $id at sequence $(proof .proof.entry.sequence) of $(head -n 1 "$work/text"); its data was not checked"
