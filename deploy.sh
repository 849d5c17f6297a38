#!/usr/bin/env bash
# Puts Reel where it runs. Each step is done beside what is there and then switched; whatever ends it early, what was
# there stays or is put back. Data goes to stdout, words for people to stderr.
set -euo pipefail
shopt -s nullglob

root=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'TEXT'
Usage: ./deploy.sh [--fe-target DIR] [--be-target DIR] [--client-target DIR] [--service DIR [--migrate | --rollback]] [--dry-run]

  --fe-target DIR  web/reel into DIR/src/reel, for a host that builds it with its own Vite (or DEPLOY_FE_TARGET)
  --be-target DIR  the package reel into the host project DIR, with npm (or DEPLOY_BE_TARGET)
  --client-target DIR
                   the package reel-client alone into the project DIR of a module, with npm
  --service DIR    a release of its own into DIR/releases, and DIR/current switched to it where the database
                   (REEL_DATABASE_URL, from the environment or DIR/reel.env) is up to date for it
    --migrate      bring the database up to date before the switch (REEL_MIGRATE_URL)
    --rollback     switch back to the release before instead
  --dry-run        print what would be done, and do nothing

Without a target: ../infinity as front end and ../matrix as back end, where they exist.
TEXT
}

say() { printf 'deploy: %s\n' "$*" >&2; }
fail() { say "$2"; exit "$1"; }
misused() { say "$1"; usage >&2; exit 2; }
would() { printf 'would %s\n' "$*"; }

# --- What is wanted

fe_target='' be_target='' client_target='' service='' rollback=no migrate=no dry_run=no

while (($# > 0)); do
  [[ $1 != --*=* ]] || set -- "${1%%=*}" "${1#*=}" "${@:2}"
  option=$1
  shift
  case $option in
    --fe-target | --be-target | --client-target | --service)
      [[ ${1:-} != '' && ${1:-} != --* ]] || misused "$option: expected a folder, got ${1:-nothing}"
      case $option in
        --fe-target) fe_target=$1 ;;
        --be-target) be_target=$1 ;;
        --client-target) client_target=$1 ;;
        --service) service=$1 ;;
      esac
      shift
      ;;
    --rollback) rollback=yes ;;
    --migrate) migrate=yes ;;
    --dry-run) dry_run=yes ;;
    -h | --help) usage; exit 0 ;;
    *) misused "unknown option ${option:0:200}" ;;
  esac
done

[[ $service || $rollback$migrate == nono ]] || misused '--rollback and --migrate: expected --service DIR with them'
[[ $rollback$migrate != yesyes ]] || misused 'expected --rollback or --migrate, got both'

if [[ ! $fe_target$be_target$client_target$service ]]; then
  fe_target=${DEPLOY_FE_TARGET:-} be_target=${DEPLOY_BE_TARGET:-}
  if [[ ! $fe_target$be_target ]]; then
    [[ ! -d $root/../infinity ]] || fe_target=$root/../infinity
    [[ ! -d $root/../matrix ]] || be_target=$root/../matrix
  fi
  [[ $fe_target$be_target ]] || misused 'expected a target, got none, and neither ../infinity nor ../matrix is there'
fi

[[ ! $fe_target || -d $fe_target ]] || fail 2 "expected the folder of a front-end project, got $fe_target"
[[ ! $be_target || -f $be_target/package.json ]] || fail 2 "expected a project with a package.json, got $be_target"
[[ ! $client_target || -f $client_target/package.json ]] || fail 2 "expected a project with a package.json, got $client_target"
[[ ! $service || -d $service || (! -e $service && ! -L $service) ]] || fail 2 "expected a folder, got $service"
[[ ! $fe_target ]] || fe_target=$(cd -P -- "$fe_target" && pwd)
[[ ! $be_target ]] || be_target=$(cd -P -- "$be_target" && pwd)
[[ ! $client_target ]] || client_target=$(cd -P -- "$client_target" && pwd)
[[ ! $service || $service == /* ]] || service=$PWD/$service

# --- Undoing: one folder of drafts at a time, and what to do with it if the script ends early

scratch='' undo='' made=''

end_early() {
  local code=$?
  trap - EXIT
  [[ ! $undo ]] || "$undo" || say 'what was there could not be put back whole'
  [[ ! $scratch ]] || rm -rf -- "$scratch"
  [[ ! $made ]] || rmdir -- "$made" 2>/dev/null || true
  exit "$code"
}
trap end_early EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

open_scratch() { scratch=$(mktemp -d "$1/.reel-deploy-XXXXXX"); }

close_scratch() {
  undo=''
  rm -rf -- "$scratch"
  scratch=''
}

# --- Building

# Whether every package of the lock file stands in node_modules in its version; those of other platforms need not.
installed() {
  node -e '
    const { readFileSync } = require("node:fs");
    const packages = (file) => JSON.parse(readFileSync(file, "utf8")).packages;
    const present = packages("node_modules/.package-lock.json");
    const missing = ([path, { version, optional }]) => path && !optional && present[path]?.version !== version;
    process.exit(Object.entries(packages("package-lock.json")).some(missing) ? 1 : 0);
  ' 2>/dev/null
}

built=no
build() {
  [[ $built == no ]] || return 0
  cd -- "$root"
  if ! installed; then
    # Through a link npm would empty the folder of somebody else.
    [[ ! -L node_modules ]] || fail 1 "expected $root/node_modules as package-lock.json has it, got a link to another one: remove the link, or run npm ci there"
    npm ci --include=dev --no-audit --no-fund >&2
  fi
  # The project's own Node, whatever the machine has.
  PATH=$root/node_modules/.bin:$PATH node src/development/build.ts
  built=yes
}

# --- Front end

deploy_front_end() {
  local host=$1 target=$1/src/reel
  if diff -rq -- "$root/web/reel" "$target" >/dev/null 2>&1; then
    say "$target is up to date"
    return
  fi
  if [[ $dry_run == yes ]]; then
    would "put $root/web/reel into $target"
    return
  fi
  [[ -d $host/src ]] || made=$host/src
  mkdir -p -- "$host/src"
  open_scratch "$host/src"
  cp -R -- "$root/web/reel" "$scratch/new"
  undo=put_front_end_back fe_place=$target
  [[ ! -e $target && ! -L $target ]] || mv -T -- "$target" "$scratch/old"
  mv -T -- "$scratch/new" "$target"
  close_scratch
  say "web/reel is in $target"
  local peers
  peers=$(missing_peers "$host")
  [[ ! $peers ]] || say "the host lacks packages that it imports: npm install $peers"
}

put_front_end_back() {
  [[ -e $fe_place || (! -e $scratch/old && ! -L $scratch/old) ]] || mv -T -- "$scratch/old" "$fe_place"
}

missing_peers() {
  [[ -f $1/package.json ]] || return 0
  node -e '
    const { readFileSync } = require("node:fs");
    const read = (folder) => JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
    const [host, own] = [read(process.argv[1]), read(process.argv[2])];
    const has = { ...host.dependencies, ...host.devDependencies, ...host.peerDependencies };
    const needed = Object.keys(own.peerDependencies).filter((name) => !own.peerDependenciesMeta?.[name]?.optional);
    console.log(needed.filter((name) => !has[name]).map((name) => `${name}@"${own.peerDependencies[name]}"`).join(" "));
  ' "$1" "$root/web/reel"
}

# --- Packages: of the back end, and of modules

# Of the name $2, packed from $3, whose export $4 shows that it loads.
deploy_package() {
  local host=$1 name=$2 folder=$3 exported=$4
  if [[ $dry_run == yes ]]; then
    would "build, pack, and install the package $name of $root into $host, its tarball in $host/vendor"
    return
  fi
  build
  # Of a deployment that was killed.
  local left
  for left in "$host"/.reel-deploy-*; do
    scratch=$left
    put_package_back
    rm -rf -- "$left"
  done
  check_peers "$host" "$folder"
  open_scratch "$host"
  (cd -- "$folder" && npm pack --ignore-scripts --silent --pack-destination "$scratch" >/dev/null)
  local tarball
  tarball=$(basename -- "$scratch"/reel-*.tgz)
  if has_package "$host" "$name" "$scratch/$tarball"; then
    close_scratch
    say "the package $name in $host is up to date"
    return
  fi
  keep_package "$host"
  undo=put_package_back
  [[ -d $host/vendor ]] || made=$host/vendor
  mkdir -p -- "$host/vendor"
  rm -f -- "$host/vendor/$name"-[0-9]*.tgz
  mv -- "$scratch/$tarball" "$host/vendor/$tarball"
  cd -- "$host"
  npm install --save-prod --prefer-offline --no-audit --no-fund "./vendor/$tarball" >&2
  "$root/node_modules/.bin/node" --input-type=module -e "import { $exported } from '$name'; $exported.name" ||
    fail 1 "the package does not load in $host"
  [[ $name != reel ]] || "$root/node_modules/.bin/node" node_modules/reel/dist/development/check-host.js ||
    fail 1 "the router does not start in $host"
  cd -- "$root"
  close_scratch
  say "the package $name is installed in $host, from vendor/$tarball"
}

# Packages that the host has in a version that the package in $2 does not go with. Nothing is touched then.
check_peers() {
  local wrong
  wrong=$(node -e '
    const { existsSync, readFileSync } = require("node:fs");
    const read = (file) => JSON.parse(readFileSync(file, "utf8"));
    const [, host, folder] = process.argv;
    const numbers = (text) => text.split(/[-+]/)[0].split(".").map(Number);
    // Of ranges such as ^16.12.0, which all of them are.
    const fits = (version, range) => {
      const [[major, minor, patch], [from, least, last]] = [numbers(version), numbers(range.slice(1))];
      return major === from && (minor > least || (minor === least && patch >= last));
    };
    for (const [name, range] of Object.entries(read(`${folder}/package.json`).peerDependencies ?? {})) {
      const file = `${host}/node_modules/${name}/package.json`;
      if (!range.startsWith("^") || !existsSync(file)) continue;
      const { version } = read(file);
      if (!fits(version, range)) console.log(`${name} ${version}, expected ${range}`);
    }
  ' "$1" "$2")
  [[ ! $wrong ]] || fail 1 "$1 has packages of versions that it does not go with: ${wrong//$'\n'/; }"
}

# Whether the host has this very tarball, in vendor and installed.
has_package() {
  cmp -s -- "$3" "$1/vendor/$(basename -- "$3")" && node -e '
    const { createHash } = require("node:crypto");
    const { readFileSync } = require("node:fs");
    const [, host, name, tarball, file] = process.argv;
    const read = (file) => JSON.parse(readFileSync(`${host}/${file}`, "utf8"));
    const integrity = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
    const installed = read("node_modules/.package-lock.json").packages[`node_modules/${name}`];
    const named = read("package.json").dependencies[name] === `file:vendor/${file}`;
    process.exit(named && installed.integrity === integrity ? 0 : 1);
  ' "$1" "$2" "$3" "$(basename -- "$3")" 2>/dev/null
}

# All that npm may change. Links are enough for what it replaces and never writes into.
keep_package() {
  local name
  mkdir -- "$scratch/kept"
  for name in package.json package-lock.json npm-shrinkwrap.json; do
    [[ ! -e $1/$name ]] || cp -a -- "$1/$name" "$scratch/kept/$name"
  done
  mkdir -- "$scratch/kept/vendor"
  for name in "$1"/vendor/reel-*.tgz; do cp -a -- "$name" "$scratch/kept/vendor"; done
  if [[ -e $1/node_modules ]]; then
    cp -al -- "$1/node_modules" "$scratch/kept/node_modules" 2>/dev/null || {
      rm -rf -- "$scratch/kept/node_modules"
      cp -a -- "$1/node_modules" "$scratch/kept/node_modules"
    }
    if [[ -f $1/node_modules/.package-lock.json ]]; then
      rm -f -- "$scratch/kept/node_modules/.package-lock.json"
      cp -a -- "$1/node_modules/.package-lock.json" "$scratch/kept/node_modules/"
    fi
  fi
  mv -T -- "$scratch/kept" "$scratch/whole"
}

put_package_back() {
  local name host
  host=$(dirname -- "$scratch")
  [[ -d $scratch/whole ]] || return 0
  for name in package.json package-lock.json npm-shrinkwrap.json node_modules; do
    rm -rf -- "${host:?}/$name"
    [[ ! -e $scratch/whole/$name ]] || mv -T -- "$scratch/whole/$name" "$host/$name"
  done
  rm -f -- "$host"/vendor/reel-*.tgz
  for name in "$scratch"/whole/vendor/*; do mv -- "$name" "$host/vendor/"; done
}

# --- Service

# VERSION-COMMIT; changes that are not committed, or no repository at all, make a name of their own.
release_name() {
  local version commit
  version=$(node -p 'require(process.argv[1]).version' "$root/package.json")
  if [[ $(git -C "$root" rev-parse --show-toplevel 2>/dev/null) == "$root" ]]; then
    commit=$(git -C "$root" rev-parse --short HEAD)
    git -C "$root" diff --quiet HEAD -- || commit+=-changed-$(git -C "$root" diff HEAD -- | digest)
  else
    commit=$(cd -- "$root" && find src web package-lock.json -type f -print0 | sort -z | xargs -0 sha256sum | digest)
  fi
  printf '%s-%s\n' "$version" "$commit"
}

digest() { sha256sum | cut -c 1-12; }

# reel … of the checkout or of a release, with the settings that the service will have.
reel() {
  local release=$1 file=()
  shift
  [[ ! -f $service/reel.env ]] || file=(--env-file="$service/reel.env")
  REEL_ENV=production "$root/node_modules/.bin/node" "${file[@]}" "$release/dist/cli/reel.js" "$@" >&2
}

deploy_service() {
  local name release draft
  name=$(release_name)
  if [[ $dry_run == yes ]]; then
    [[ -d $service/releases/$name ]] || would "build, and make the release $service/releases/$name"
    [[ $migrate == no ]] || would 'run reel migrate with REEL_MIGRATE_URL'
    would "switch $service/current to releases/$name where the database is up to date for it"
    would "write $service/reel.service"
    return
  fi
  build
  [[ $migrate == yes ]] || reel "$root" migrate --check || refuse $? "$name"
  [[ -d $service ]] || made=$service
  mkdir -p -- "$service"
  service=$(cd -P -- "$service" && pwd)
  open_scratch "$service"
  release=$service/releases/$name draft=$scratch/release
  if [[ -d $release ]]; then draft=$release; else say "making the release $name"; make_release "$draft"; fi
  [[ $migrate == no ]] || reel "$draft" migrate || refuse $? "$name"
  mkdir -p -- "$service/releases"
  [[ $draft == "$release" ]] || mv -T -- "$draft" "$release"
  if [[ $(past | tail -n 1) != "$name" ]]; then
    local before
    before=$(past | grep -Fxv -- "$name" || true)
    switch_to "$name" "${before:+$before$'\n'}$name"
  fi
  write_unit
  forget_old
  close_scratch
  say "$service/current is $name; it starts with:"
  printf '%q %q %q\n' "$service/current/bin/node" "--env-file-if-exists=$service/reel.env" "$service/current/dist/main.js"
}

refuse() { fail "$1" "$2 is not switched to, since the database is not up to date for it"; }

make_release() {
  local draft=$1
  mkdir -p -- "$draft/bin" "$draft/docs"
  cd -- "$root"
  cp -- package.json package-lock.json .npmrc LICENSE README.md schema.graphql "$draft"
  cp -- docs/settings.md "$draft/docs"
  cp -R -- dist "$draft/dist"
  find "$draft/dist" -name '.*' -type f -delete
  cd -- "$draft"
  # None of them needs a script of its own to be ready.
  PATH=$root/node_modules/.bin:$PATH npm ci --omit=dev --ignore-scripts --prefer-offline --no-audit --no-fund >&2
  cp -L -- "$root/node_modules/node/bin/node" bin/node
  bin/node dist/cli/reel.js --version >/dev/null
  cd -- "$root"
}

# Releases in the order they were switched to, the current one last; those rolled back from are not among them.
past() {
  local current name
  [[ -L $service/current ]] || return 0
  current=$(basename -- "$(readlink -- "$service/current")")
  if [[ -f $service/.history ]]; then
    while IFS= read -r name; do
      [[ $name != "$current" ]] || break
      [[ ! -d $service/releases/$name ]] || printf '%s\n' "$name"
    done <"$service/.history"
  fi
  printf '%s\n' "$current"
}

switch_to() {
  ln -s -- "releases/$1" "$scratch/current"
  printf '%s\n' "$2" >"$scratch/history"
  mv -T -- "$scratch/current" "$service/current"
  mv -T -- "$scratch/history" "$service/.history"
}

forget_old() {
  local release
  for release in "$service"/releases/*; do
    past | tail -n 3 | grep -Fxq -- "$(basename -- "$release")" || rm -rf -- "$release"
  done
}

roll_back() {
  local before
  [[ -d $service ]] || fail 1 "expected a service, got $service"
  service=$(cd -P -- "$service" && pwd)
  before=$(past | head -n -1)
  [[ $before ]] || fail 1 "$service has no release to switch back to"
  if [[ $dry_run == yes ]]; then
    would "switch $service/current back to releases/${before##*$'\n'}"
    return
  fi
  open_scratch "$service"
  switch_to "${before##*$'\n'}" "$before"
  close_scratch
  say "$service/current is ${before##*$'\n'} again; restart it"
}

# As man systemd.unit has it: % begins a specifier.
write_unit() {
  local place=${service//%/%%}
  cat >"$scratch/unit" <<UNIT
[Unit]
Description=Reel, the audit trail
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart="$place/current/bin/node" "$place/current/dist/main.js"
WorkingDirectory=$place/current
Environment=REEL_ENV=production REEL_DATA_DIR=/var/lib/reel
EnvironmentFile=-$place/reel.env
Restart=always
RestartSec=2
TimeoutStopSec=30
DynamicUser=yes
StateDirectory=reel
CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictSUIDSGID=yes

[Install]
WantedBy=multi-user.target
UNIT
  cmp -s -- "$scratch/unit" "$service/reel.service" || mv -T -- "$scratch/unit" "$service/reel.service"
}

[[ ! $fe_target ]] || deploy_front_end "$fe_target"
[[ ! $be_target ]] || deploy_package "$be_target" reel "$root" ReelService
[[ ! $client_target ]] || deploy_package "$client_target" reel-client "$root/dist/reel-client" createReelClient
if [[ $service && $rollback == yes ]]; then
  roll_back
elif [[ $service ]]; then
  deploy_service
fi
