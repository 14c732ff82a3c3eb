#!/usr/bin/env bash
# Every relative link in a Markdown file leads to a file or folder of the repository.
set -euo pipefail
cd "$(dirname "$0")/.."

checked=0 broken=0
while IFS= read -r document; do
  while IFS= read -r link; do
    target=${link%%#*}
    case $target in '' | http://* | https://* | mailto:*) continue ;; esac
    checked=$((checked + 1))
    if [ ! -e "$(dirname "$document")/$target" ]; then
      echo "$document: the link to $target leads nowhere" >&2
      broken=$((broken + 1))
    fi
  # Code is no link: fenced blocks and `spans` are left out first.
  done < <(sed -E '/^ *```/,/^ *```/d; s/`[^`]*`//g' "$document" | grep -oE '\]\([^)[:space:]]+' | cut -c3-)
done < <(git ls-files --cached --others --exclude-standard '*.md')

echo "check-docs: $checked relative links, $broken broken"
[ "$broken" -eq 0 ]
