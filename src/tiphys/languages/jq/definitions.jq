# Functions whose results differ between the engine and the original.  Every definition begins at
# the start of a line with "def t_"; a translation carries those that it needs.

# What an error shows of a value.
def t_preview: t_json | if utf8bytelength <= 30 then . else
  (if startswith("\"") then " ...\"" elif startswith("[") then " ...]"
   elif startswith("{") then " ...}" else " ..." end) as $end
  | .[:30] | until(utf8bytelength <= 30 - ($end | length); .[:-1]) + $end end;
def t_kind: if . == null then "null" else "\(type) (\(t_preview))" end;
def t_refuse($name): error("\($name) cannot be applied to: \(t_kind)");
def t_refuse($name; $argument; $other): error("\($name)(\($argument | t_preview); \($other | t_preview)) cannot be applied to: \(t_kind)");
def t_refuse($name; $argument): error("\($name)(\($argument | t_preview)) cannot be applied to: \(t_kind)");

# Objects are walked in the order of their keys, also where the engine keeps another.
def t_each: if type == "object" then .[keys[]] elif type == "array" then .[]
  else error("cannot iterate over: \(t_kind)") end;
def t_members: if type == "object" then .[keys[]] elif type == "array" then .[] else empty end;
def t_recurse: recurse(t_members);
def t_map(f): [t_each | f];
def t_to_entries: [keys[] as $k | {key: $k, value: .[$k]}];
def t_from_entries: t_map({(.key // .Key // .name // .Name | if type == "string" then .
    else error("expected a string for object key but got: \(t_kind)") end):
    (if has("value") then .value else .Value end)}) | t_add_up // {};
def t_with_entries(f): t_to_entries | t_map(f) | t_from_entries;
def t_paths: path(t_recurse) | select(length > 0);
def t_paths(f): path(t_recurse | select(f)) | select(length > 0);
def t_tostream: path(def r: (t_members | r), .; r) as $p | getpath($p)
  | reduce path(t_members) as $q ([$p, .]; [$p + $q]);
def t_INDEX(rows; f): reduce rows as $row ({}; .[$row | f | t_tostring] = $row);
def t_INDEX(f): t_INDEX(t_each; f);
def t_IN(values): any(values == .; .);
def t_IN(source; values): any(source == values; .);
def t_JOIN($index; f): [t_each | [., (f as $k | $index | t_at($k))]];
def t_JOIN($index; rows; f): rows | [., (f as $k | $index | t_at($k))];
def t_JOIN($index; rows; f; joined): rows | [., (f as $k | $index | t_at($k))] | joined;
def t_flatten($depth): if ($depth | type) != "number" then $depth | t_refuse("flatten")
  elif $depth < 0 then error("flatten depth should not be negative: \($depth | t_preview)")
  elif type == "object" or type == "array" then [t_each] | flatten($depth) else t_refuse("flatten") end;

def t_truncate_stream(f): . as $depth | null | f | if t_at(0) | length > $depth then .[0] |= .[$depth:] else empty end;
def t_combinations: if length == 0 then [] else .[0] as $first | ($first | t_each) as $x | .[1:] | [$x] + t_combinations end;
def t_combinations($n): [limit($n; repeat(.))] | t_combinations;
def t_first: t_at(0);
def t_first(f): first(f);
def t_last: t_at(-1);
def t_last(f): last(f);
def t_nth($i): t_at($i);
def t_nth($i; f): if $i < 0 then error("nth doesn't support negative index") else nth($i; f) end;

# A step of a foreach: its new states, or the old one where there is none.
def t_keeping(f): .of as $old | [$old | f] | if . == [] then {of: $old, new: false} else .[] | {of: ., new: true} end;

# What an index gives: a character of a text too.
def t_character($i): length as $n | ($i | trunc | if . < 0 then . + $n else . end) | if . >= 0 and . < $n then . else null end;
def t_at($i): if type == "string" and ($i | type) == "number" then
    t_character($i) as $k | if $k == null then null else .[$k:$k + 1] end
  elif . == null and ($i | type) == "array" then null else .[$i] end;

# Numbers and JSON as texts.
def t_flatten: t_flatten(1e9);
def t_number: if isnan then "null" elif isinfinite then (if . > 0 then "" else "-" end) + "1.7976931348623157e+308"
  else tojson | if test("^-?[0-9]{1,17}$") then . else
    capture("^(?<sign>-?)(?<whole>[0-9]+)(?:\\.(?<part>[0-9]*))?(?:[eE](?<power>[-+]?[0-9]+))?$")
    | . as $n | ($n.part // "") as $part | ($n.power // "0" | ltrimstr("+") | tonumber) as $power
    | ($n.whole + $part | ltrimstr("0") | until(startswith("0") | not; ltrimstr("0"))) as $digits
    | (($n.whole | length) + $power - (($n.whole + $part | length) - ($digits | length))) as $point
    | ($digits | until(endswith("0") | not; rtrimstr("0"))) as $short
    | if $short == "" then "0"
      elif ($n.part == null and $n.power == null) then $n.whole | $n.sign + .
      elif $point > 21 or $point < -5 then
        $n.sign + $short[:1] + (if ($short | length) > 1 then "." + $short[1:] else "" end)
        + "e" + (if $point > 0 then "+" else "-" end) + ($point - 1 | fabs | tojson)
      elif $point <= 0 then $n.sign + "0." + ("0" * (-$point) // "") + $short
      elif $point >= ($short | length) then $n.sign + $short + ("0" * ($point - ($short | length)) // "")
      else $n.sign + $short[:$point] + "." + $short[$point:] end end end;
def t_json: if type == "number" then t_number
  elif type == "array" then "[" + (map(t_json) | join(",")) + "]"
  elif type == "object" then "{" + ([keys[] as $k | ($k | tojson) + ":" + (.[$k] | t_json)] | join(",")) + "}"
  else tojson end;
def t_text: if type == "string" then . else t_json end;
def t_tostring: t_text;
def t_tojson: t_json;
def t_output: tojson;
def t_checked_output: if any(.. | numbers; isnan) then error("json: unsupported value: NaN")
  elif any(.. | numbers; isinfinite) then error("json: unsupported value: \(if any(.. | numbers; . == infinite) then "+" else "-" end)Inf")
  else tojson end;
def t_tonumber: if type == "number" then . elif type != "string" then t_refuse("tonumber")
  elif test("^[-+]?(?:[0-9]+\\.?[0-9]*|\\.[0-9]+)(?:[eE][-+]?[0-9]+)?\\z") | not then
    error("tonumber cannot be applied to \(t_preview): invalid number")
  elif test("[.eE]") then ltrimstr("+") | (if test("\\.\\z|\\.[eE]") then sub("\\."; "") else . end)
    | (if test("^-?\\.") then sub("\\."; "0.") else . end) | tonumber * 1
  else ltrimstr("+") | sub("^(?<s>-?)0+(?=[0-9])"; "\(.s)") | tonumber end;
def t_fromjson: if type != "string" then t_refuse("fromjson")
  elif test("[nN][aA][nN]|[iI]nf") and (gsub("\"(?:[^\"\\\\]|\\\\.)*\""; "") | test("[nN][aA][nN]|[iI]nf")) then t_refuse("fromjson")
  else fromjson end;

# Formats.
def t_replace($old; $new): split($old) | join($new);
def t_format_html: t_text | t_replace("&"; "&amp;") | t_replace("<"; "&lt;") | t_replace(">"; "&gt;")
  | t_replace("'"; "&apos;") | t_replace("\""; "&quot;");
def t_format_uri: t_text | @uri;
def t_format_urid: t_text | if test("%(?![0-9a-fA-F]{2})") then error("@urid cannot be applied to \(t_preview)") else @urid end;
def t_format_base64: t_text | @base64;
def t_format_base64d: t_text | (. / "=" | .[0] // "") as $text
  | if ($text | test("[^A-Za-z0-9+/]") or length % 4 == 1)
    then ([$text | match("[^A-Za-z0-9+/]").offset, ($text | length / 4 | floor * 4)] | first) as $byte
      | error("@base64d cannot be applied to \(t_preview): illegal base64 data at input byte \($byte)") else $text | @base64d end;
def t_row($name; f): if type != "array" then t_refuse("@" + $name) else
  map(if type == "string" then f elif type == "array" or type == "object"
      then error("@\($name) cannot format an array including: \(t_kind)")
      elif . == null and $name != "sh" then "" else t_json end) end;
def t_format_csv: t_row("csv"; "\"" + t_replace("\""; "\"\"") + "\"") | join(",");
def t_format_tsv: t_row("tsv"; t_replace("\\"; "\\\\") | t_replace("\t"; "\\t") | t_replace("\r"; "\\r") | t_replace("\n"; "\\n")) | join("\t");
def t_format_sh: (if type == "array" then . else [.] end) | t_row("sh"; "'" + t_replace("'"; "'\\''") + "'") | join(" ");
def t_format($name): if ($name | type) != "string" then $name | t_refuse("format")
  elif $name == "text" then t_text elif $name == "json" then t_json elif $name == "html" then t_format_html
  elif $name == "uri" then t_format_uri elif $name == "urid" then t_format_urid elif $name == "csv" then t_format_csv
  elif $name == "tsv" then t_format_tsv elif $name == "sh" then t_format_sh elif $name == "base64" then t_format_base64
  elif $name == "base64d" then t_format_base64d else error("format not defined: @\($name)") end;

# Strings.
def t_pair($name; $other): if type == "string" and ($other | type) == "string" then . else t_refuse($name; $other) end;
def t_startswith($s): t_pair("startswith"; $s) | startswith($s);
def t_endswith($s): t_pair("endswith"; $s) | endswith($s);
def t_ltrimstr($s): t_pair("ltrimstr"; $s) | ltrimstr($s);
def t_rtrimstr($s): t_pair("rtrimstr"; $s) | rtrimstr($s);
def t_trimstr($s): t_ltrimstr($s) | rtrimstr($s);
def t_ascii_downcase: if type == "string" then ascii_downcase else t_refuse("ascii_downcase") end;
def t_ascii_upcase: if type == "string" then ascii_upcase else t_refuse("ascii_upcase") end;
def t_explode: if type == "string" then explode else t_refuse("explode") end;
def t_implode: if type != "array" or any(.[]; type != "number") then t_refuse("implode") else
  map(trunc | if . < 0 or . > 1114111 or (. >= 55296 and . <= 57343) then 65533 else . end) | implode end;
def t_split($s): if type != "string" then t_refuse("split") elif ($s | type) != "string" then $s | t_refuse("split")
  elif . == "" then (if $s == "" then [] else [""] end) else split($s) end;
def t_join($s): if type != "array" and type != "object" then t_refuse("join"; $s) else
  [t_each] | if all(.[], $s; type == "string") then join($s) elif length == 0 then "" else
  reduce .[1:][] as $x (.[0] | if type == "boolean" or type == "number" then t_json elif . == null then "" else "" + . end;
    . + $s + ($x | if type == "boolean" or type == "number" then t_json else . end)) end end;
def t_contains($b): if type == "object" and ($b | type) == "object" then
    . as $a | length >= ($b | length) and all($b | keys[]; . as $k | ($a | has($k)) and ($a[$k] | t_holds($b[$k])))
  elif type == "array" and ($b | type) == "array" then . as $a | all($b[]; . as $x | any($a[]; t_holds($x)))
  elif type == "string" and ($b | type) == "string" then contains($b)
  elif . == $b then true
  elif type == "number" and ($b | type) == "number" then false else t_refuse("contains"; $b) end;
def t_holds($b): def holds($b): if type == "object" and ($b | type) == "object" then
    . as $a | length >= ($b | length) and all($b | keys[]; . as $k | ($a | has($k)) and ($a[$k] | holds($b[$k])))
  elif type == "array" and ($b | type) == "array" then . as $a | all($b[]; . as $x | any($a[]; holds($x)))
  elif type == "string" and ($b | type) == "string" then contains($b) else . == $b end; holds($b);
def t_inside($b): . as $a | $b | t_contains($a);
def t_has($k): if . == null then false
  elif (type == "object" and ($k | type) == "string") then has($k)
  elif (type == "array" and ($k | type) == "number") then ($k | trunc) as $i | $i >= 0 and $i < length
  else t_refuse("has"; $k) end;
def t_places($x): . as $a | ($x | length) as $n | if $n == 0 then empty
  else range(length - $n + 1) | select($a[.:. + $n] == $x) end;
def t_searched($name; $x): if type == "array" then . elif type == "string" and ($x | type) == "string" then explode
  else t_refuse($name; $x) end;
def t_sought($x): if type == "array" and ($x | type) != "array" then [$x] elif type == "string" then $x | explode else $x end;
def t_indices($x): if . == null then null else t_sought($x) as $y | [t_searched("indices"; $x) | t_places($y)] end;
def t_index($x): if . == null then null else t_sought($x) as $y | t_searched("index"; $x) | first(t_places($y), null) end;
def t_rindex($x): if . == null then null else t_sought($x) as $y | [t_searched("rindex"; $x) | t_places($y)] | last end;

# Regular expressions.
def t_checked_flags($flags): if $flags == null then "" elif ($flags | type) != "string" then t_refuse("match")
  elif $flags | test("[^gim]") then error("unsupported regular expression flag: \($flags | tojson)") else $flags end;
# The engine finds empty matches also between the bytes of a character.
def t_empty_at($re; $offset): first(match("(?<=\\A(?s:.{\($offset)}))(?:\($re))")) // null | . != null and .length == 0;
def t_match($re; $flags): if type != "string" or ($re | type) != "string" then t_refuse("match"; $re; $flags) else
  t_checked_flags($flags) as $f
  | ((if $f | contains("i") then "(?i)" else "" end) + (if $f | contains("m") then "(?s)" else "" end) + $re) as $own
  | if $f | contains("g") then
      (length != utf8bytelength) as $wide | . as $s
      | foreach match($own; "g") as $m ({end: -1}; ($m.offset + $m.length) as $end
        | {hit: ($m.length > 0 or ($m.offset != .end and ($wide and $m.offset > 0 | not or ($s | t_empty_at($own; $m.offset))))), end: $end};
        if .hit then $m else empty end)
    else match($own) end
  | {offset, length, string, captures: (.captures | map(if .offset < 0 then {name, offset: -1, length: 0, string: null} else . end))} end;
def t_match($re): t_match($re; null);
def t_test($re; $flags): if type != "string" or ($re | type) != "string" then t_refuse("test"; $re; $flags) else
  t_checked_flags($flags) as $f
  | test((if $f | contains("i") then "(?i)" else "" end) + (if $f | contains("m") then "(?s)" else "" end) + $re) end;
def t_test($re): t_test($re; null);
def t_captured: map(select(.name != null) | {(.name): .string}) | add // {};
def t_capture($re; $flags): t_match($re; $flags) | .captures | t_captured;
def t_capture($re): t_capture($re; null);
def t_scan($re; $flags): t_match($re; "g" + $flags) | if .captures == [] then .string else [.captures[].string] end;
def t_scan($re): t_scan($re; null);
def t_splits($re; $flags): . as $s
  | foreach (t_match($re; "g" + $flags), null) as $m ({next: 0};
      {start: .next, end: ($m | if . then .offset else null end), next: ($m | if . then .offset + .length else null end)};
      $s[.start:.end]);
def t_splits($re): t_splits($re; null);
def t_split($re; $flags): [t_splits($re; $flags)];
def t_sub($re; f; $flags): . as $s | [t_match($re; $flags)] as $matches
  | if $matches == [] then . else
    (def go($i; $from): if $i == ($matches | length) then $s[$from:] else
       $matches[$i] as $m | ($m.captures | t_captured | f) as $new
       | (if ($new | type) == "string" then . else t_operands("add"; $s[$from:$m.offset]; $new) end)
       | $s[$from:$m.offset] + $new + go($i + 1; $m.offset + $m.length) end; go(0; 0)) end;
def t_sub($re; f): t_sub($re; f; null);
def t_gsub($re; f): t_sub($re; f; "g");
def t_gsub($re; f; $flags): t_sub($re; f; "g" + $flags);

# Times.
def t_seconds: (.[1] / 12 | floor) as $years | (.[1] - 12 * $years + 1) as $month
  | (.[0] + $years - (if $month <= 2 then 1 else 0 end)) as $year | ($year / 400 | floor) as $era | ($year - 400 * $era) as $of_era
  | ((153 * ($month + (if $month > 2 then -3 else 9 end)) + 2) / 5 | floor) as $of_year
  | (146097 * $era + 365 * $of_era + ($of_era / 4 | floor) - ($of_era / 100 | floor) + $of_year + .[2] - 719469) * 86400
    + .[3] * 3600 + .[4] * 60 + .[5];
def t_time: if any(.[:8][]; type != "number") then error("expected an array of 8 numbers") else
  . as $t | [range(6) | $t[.] // 0] | .[:5] |= map(trunc) end;
def t_mktime: if type != "array" then t_refuse("mktime") else t_time | t_seconds end;
def t_gmtime: if type != "number" then t_refuse("gmtime") else
  ((. - floor) * 1000000000 | trunc / 1000000000) as $part | (trunc + $part) as $moment
  | ($moment | floor | gmtime) | .[5] += ($moment - ($moment | floor)) end;
def t_localtime: if type != "number" then t_refuse("localtime") else localtime end;
def t_clock: (if type == "number" then t_gmtime else . end) | t_mktime | floor | gmtime;
def t_strftime($format): if (type != "number" and type != "array") or ($format | type) != "string"
  then t_refuse("strftime"; $format) else t_clock as $t | $format | gsub("%(?<c>[%YZfv+]|:z)"; if .c == "Z" then "UTC"
      elif .c == "Y" then $t[0] | tojson | if length < 4 and (startswith("-") | not) then "0" * (4 - length) + . else . end
      elif .c == "f" then "000000"
      elif .c == "v" then "%e-%b-%Y" elif .c == "+" then "%a %b %e %H:%M:%S UTC %Y" elif .c == ":z" then "+00:00" else "%%" end)
    | if . == "" then "" else . as $own | $t | strftime($own) end end;
def t_strflocaltime($format): if (type != "number" and type != "array") or ($format | type) != "string"
  then t_refuse("strflocaltime"; $format) else (if type == "number" then trunc else . end) | if $format == "" then "" else strflocaltime($format) end end;
def t_todateiso8601: t_strftime("%Y-%m-%dT%H:%M:%SZ");
def t_todate: t_todateiso8601;
def t_strptime($format): if type != "string" or ($format | type) != "string" then t_refuse("strptime"; $format) else
  strptime($format) | (if .[2] == 0 then .[2] = 1 else . end) | t_mktime | gmtime end;
def t_month: (ascii_downcase[:3] | {"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7,
  "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12}[.]);
def t_offset: if . == null or . == "Z" then 0 else (if startswith("-") then -1 else 1 end) * (.[1:] | t_replace(":"; "")
  | (.[:2] | tonumber) * 3600 + (if length >= 4 then .[2:4] | tonumber * 60 else 0 end) + (if length >= 6 then .[4:6] | tonumber else 0 end)) end;
def t_read_time($re; $format): if type != "string" then t_refuse("strptime"; $format) else
  (capture($re) // null) as $t | if $t == null then error("strptime(\($format | tojson)) cannot be applied to \(t_preview)") else
  $t | def number($n): if . == null or . == "" then $n else ltrimstr(" ") | tonumber end;
  (if .s then .s | tonumber else
    (if .Y then .Y | tonumber elif .y then .y | tonumber | if . < 69 then . + 2000 else . + 1900 end else 1900 end) as $year
    | (if .b then .b | t_month else .m | number(1) end) as $month
    | (.d | number(0)) as $day | (.j | number(0)) as $yearday
    | (if .I then (.I | number(0)) % 12 else .H | number(0) end + (if (.p // "" | ascii_downcase) == "pm" then 12 else 0 end)) as $hour
    | (if $day == 0 and $yearday > 0 then [$year, 0, $yearday] else [$year, $month - 1, (if $day == 0 then 1 else $day end)] end
       + [$hour, (.M | number(0)), (.S | number(0))] | t_seconds)
      + (if .f then ((.f + "00000")[:6] | tonumber) / 1000000 else 0 end) end) - (.z | t_offset) | gmtime end end;
def t_fromdateiso8601: if type != "string" then t_refuse("strptime"; "%Y-%m-%dT%H:%M:%S%z") else
  t_read_time("^(?<Y>-?[0-9]{1,4})-(?<m>1[0-2]|0?[1-9])-(?<d>3[01]|[12][0-9]|0?[1-9])T(?<H>2[0-3]|[01]?[0-9]):(?<M>[0-5]?[0-9]):(?<S>60|[0-5]?[0-9])(?<z>Z|[-+](?:2[0-3]|[01][0-9])(?::?[0-5][0-9](?::?[0-5][0-9])?)?)\\z"; "%Y-%m-%dT%H:%M:%S%z")
  | t_mktime end;
def t_fromdate: t_fromdateiso8601;

# Numbers.
def t_transpose: if type != "array" or any(.[]; type != "array") then t_refuse("transpose") else transpose end;
def t_plus: if type == "number" then . else error("cannot plus: \(t_kind)") end;
def t_negate: if type != "number" then error("cannot negate: \(t_kind)") elif t_is_big then t_signed | t_flip | t_from_signed else -(.) end;
def t_isnan: if type == "number" then isnan elif . == null then false else t_refuse("isnan") end;
def t_abs: if type != "number" then t_refuse("abs") elif t_is_big then t_signed | .sign = 1 | t_from_signed else fabs end;
def t_gamma: tgamma;
def t_env: {};
def t_modulemeta: error("cannot load module");
def t_halt: error({"halt of the program": null});
def t_halt_error: error({"halt of the program": .});
def t_halt_error($code): if ($code | type) == "number" then error({"halt of the program": .}) else $code | t_refuse("halt_error") end;
def t_is_halt: type == "object" and has("halt of the program");
def t_toboolean: if type == "boolean" then . elif . == "true" then true elif . == "false" then false
  elif type == "string" then error("toboolean cannot be applied to \(t_preview): invalid boolean") else t_refuse("toboolean") end;
def t_in(values): . as $k | values | t_has($k);
def t_all: all(t_each; .);
def t_all(f): all(t_each; f);
def t_all(values; f): all(values; f);
def t_any: any(t_each; .);
def t_any(f): any(t_each; f);
def t_any(values; f): any(values; f);
def t_add_up: if type == "array" or type == "object" then reduce t_each as $x (null; . + $x) else t_refuse("add") end;
def t_add: t_add_up;
def t_add(f): [f] | t_add_up;

# Integers beyond 2^53, which the original computes exactly: a sign and limbs of seven digits,
# the smallest first.
def t_is_big: tojson | length > 15 and test("^-?[0-9]{16,}$");
def t_signed: (if type == "number" then tojson else . end) | if startswith("-") then {sign: -1, limbs: .[1:]} else {sign: 1, limbs: .} end
  | .limbs |= [while(length > 0; .[:-7]) | (if length > 7 then .[-7:] else . end) | tonumber];
def t_flip: .sign *= -1;
def t_trimmed: until(length <= 1 or .[-1] != 0; .[:-1]);
def t_from_signed: (.limbs | t_trimmed) as $l | ($l | reverse | (.[0] | tojson) + ([.[1:][] | tojson | "0" * (7 - length) + .] | join(""))) as $text
  | (if .sign < 0 and $text != "0" then "-" else "" end) + $text | tonumber;
def t_carried: reduce .[] as $x ({out: [], carry: 0}; ($x + .carry) as $y | ($y / 10000000 | floor) as $c | {out: (.out + [$y - $c * 10000000]), carry: $c})
  | if .carry > 0 then .out + [.carry] else .out end | t_trimmed;
def t_compare_limbs($b): t_trimmed as $a | ($b | t_trimmed) as $b | if ($a | length) != ($b | length) then ($a | length) - ($b | length)
  else first(range($a | length) as $i | ($a[-1 - $i] - $b[-1 - $i]) | select(. != 0)) // 0 end;
def t_plus_limbs($b): . as $a | [range([($a | length), ($b | length)] | max) | ($a[.] // 0) + ($b[.] // 0)] | t_carried;
def t_minus_limbs($b): . as $a | [range($a | length) | $a[.] - ($b[.] // 0)]
  | reduce .[] as $x ({out: [], carry: 0}; ($x + .carry) as $y | if $y < 0 then {out: (.out + [$y + 10000000]), carry: -1} else {out: (.out + [$y]), carry: 0} end) | .out | t_trimmed;
def t_times_limbs($b): . as $a | reduce range($a | length) as $i ([0];
  t_plus_limbs([range($i) | 0] + [$b[] * $a[$i]] | t_carried));
def t_sum($a; $b): if $a.sign == $b.sign then {sign: $a.sign, limbs: ($a.limbs | t_plus_limbs($b.limbs))}
  elif ($a.limbs | t_compare_limbs($b.limbs)) >= 0 then {sign: $a.sign, limbs: ($a.limbs | t_minus_limbs($b.limbs))}
  else {sign: $b.sign, limbs: ($b.limbs | t_minus_limbs($a.limbs))} end;
def t_divided($a; $b): ($a | [.[] | "0" * (7 - (tojson | length)) + tojson] | reverse | join("")) as $digits
  | ($b | t_trimmed) as $b | reduce ($digits | explode[] | . - 48) as $d ({quotient: "", rest: [0]};
    (.rest | t_times_limbs([10]) | t_plus_limbs([$d])) as $r
    | last({n: 0, r: $r} | recurse(if .r | t_compare_limbs($b) >= 0 then {n: (.n + 1), r: (.r | t_minus_limbs($b))} else empty end)) as $step
    | {quotient: (.quotient + ($step.n | tojson)), rest: $step.r})
  | .quotient |= (until(length <= 1 or (startswith("0") | not); .[1:]));
def t_is_whole: tojson | test("^-?[0-9]+$");
def t_exactly($a; $b; $plain): ($a | type) == "number" and ($b | type) == "number" and ((($plain | fabs) >= 9007199254740992) or ($a | t_is_big) or ($b | t_is_big))
  and ($plain | isinfinite | not) and ($a | t_is_whole) and ($b | t_is_whole);
def t_operands($verb; $a; $b): error("cannot \($verb): \($a | t_kind) and \($b | t_kind)");
def t_addition($a; $b): if ($a | type) == "number" and ($b | type) == "number" then ($a + $b) as $r
    | if t_exactly($a; $b; $r) then t_sum($a | t_signed; $b | t_signed) | t_from_signed else $r end
  elif $a == null or $b == null or (($a | type) == ($b | type) and ($a | type) != "boolean") then $a + $b else t_operands("add"; $a; $b) end;
def t_subtraction($a; $b): if ($a | type) == "number" and ($b | type) == "number" then ($a - $b) as $r
    | if t_exactly($a; $b; $r) then t_sum($a | t_signed; $b | t_signed | t_flip) | t_from_signed else $r end
  elif ($a | type) == "array" and ($b | type) == "array" then $a - $b else t_operands("subtract"; $a; $b) end;
def t_multiplication($a; $b): if ($a | type) == "number" and ($b | type) == "number" then ($a * $b) as $r
    | if t_exactly($a; $b; $r) then {sign: (($a | t_signed).sign * ($b | t_signed).sign), limbs: (($a | t_signed).limbs | t_times_limbs(($b | t_signed).limbs))} | t_from_signed else $r end
  elif (($a | type) == "object" and ($b | type) == "object") or (($a | type) == "string" and ($b | type) == "number") or (($a | type) == "number" and ($b | type) == "string") then $a * $b
  else t_operands("multiply"; $a; $b) end;
def t_division($a; $b): if ($a | type) == "number" and ($b | type) == "number" then
    if $b == 0 then error("cannot divide \($a | t_kind) by: \($b | t_kind)") else ($a / $b) as $r
    | if t_exactly($a; $b; $r) then t_divided(($a | t_signed).limbs; ($b | t_signed).limbs)
      | if .rest == [0] then (.quotient | t_signed) | .sign = ($a | t_signed).sign * ($b | t_signed).sign | t_from_signed else $r end else $r end end
  elif ($a | type) == "string" and ($b | type) == "string" then $a / $b else t_operands("divide"; $a; $b) end;
def t_remainder($a; $b): if ($a | type) == "number" and ($b | type) == "number" then
    if ($a | isnan) or ($b | isnan) then nan
    elif ($b | trunc) == 0 then error("cannot modulo \($a | t_kind) by: \($b | t_kind)")
    elif ($a | t_is_big) or ($b | t_is_big) then {sign: ($a | t_signed).sign, limbs: t_divided(($a | t_signed).limbs; ($b | t_signed).limbs).rest} | t_from_signed
    else $a % $b end
  else t_operands("modulo"; $a; $b) end;
def t_op_add(a; b): b as $b | a as $a | t_addition($a; $b);
def t_op_subtract(a; b): b as $b | a as $a | t_subtraction($a; $b);
def t_op_multiply(a; b): b as $b | a as $a | t_multiplication($a; $b);
def t_op_divide(a; b): b as $b | a as $a | t_division($a; $b);
def t_op_modulo(a; b): b as $b | a as $a | t_remainder($a; $b);

# Used by programs that catch errors, to see the original's words in them.
def t_member($k): if ($k | type) == "string" then
    if type == "object" or . == null then .[$k] else error("expected an object but got: \(t_kind)") end
  elif ($k | type) == "number" then
    if type == "array" or . == null or type == "string" then t_at($k) else error("expected an array but got: \(t_kind)") end
  else .[$k] end;
