import { assertEquals, assertThrows } from "@std/assert";
import {
  bool,
  duration,
  floatList,
  int,
  type Kind,
  logLevel,
  string,
  stringList,
  tlsRequired,
  tlsVersion,
  urlList,
} from "../../src/config/kind.ts";

/** Values of one kind: what the texts of its flag, and what values of the file, mean; `Error` for refused. */
interface Cases {
  readonly kind: Kind<unknown>;
  readonly flags: readonly (readonly [texts: readonly string[], value: unknown])[];
  readonly file: readonly (readonly [given: unknown, value: unknown])[];
}

const MAX_INT = 2 ** 63;

const KINDS: readonly Cases[] = [
  {
    kind: bool,
    flags: [
      ...["1", "t", "T", "TRUE", "true", "True"].map((text) => [[text], true] as const),
      ...["0", "f", "F", "FALSE", "false", "False"].map((text) => [[text], false] as const),
      [["true", "false"], false],
      [["maybe"], Error],
      [["tRUE"], Error],
      [[""], Error],
      [["maybe", "true"], Error],
    ],
    // The numbers are the wrong way round, as in NSQ.
    file: [[true, true], [false, false], ["t", true], ["no", Error], [0, true], [1, false], [0.5, Error], [
      [],
      Error,
    ]],
  },
  {
    kind: int,
    flags: [
      [["0"], 0],
      [["-1"], -1],
      [["+7"], 7],
      [["5", "8"], 8],
      [["1_000"], 1000],
      [["0x1F"], 31],
      [["0b101"], 5],
      [["0o17"], 15],
      [["017"], 15],
      [["-0x10"], -16],
      [["9223372036854775807"], MAX_INT],
      [["-9223372036854775808"], -MAX_INT],
      [["9223372036854775808"], Error],
      [["99999999999999999999"], Error],
      [["lots"], Error],
      [["1.0"], Error],
      [["1e3"], Error],
      [["08"], Error],
      [["1_"], Error],
      [["1__0"], Error],
      [["0x"], Error],
      [[""], Error],
    ],
    file: [
      [5, 5],
      ["5", 5],
      [MAX_INT, MAX_INT],
      [2 ** 64, Error],
      [1.5, Error],
      ["0x10", Error],
      ["99999999999999999999", Error],
      [true, Error],
    ],
  },
  {
    kind: duration,
    flags: [[["1m30s"], 90_000], [["0"], 0], [["1s", "2s"], 2000], [["60"], Error], [["soon"], Error]],
    file: [["90s", 90_000], [1500, 1500], ["1500", Error], ["soon", Error], [true, Error]],
  },
  {
    kind: string,
    flags: [[["a", "b"], "b"], [[""], ""]],
    file: [["a", "a"], [5, Error], [true, Error], [["a"], Error]],
  },
  {
    kind: stringList,
    flags: [[["b", "a"], ["b", "a"]], [["a,b"], ["a,b"]]],
    file: [[["b", "a"], ["b", "a"]], [[], []], ["a,b", ["a", "b"]], [[1], Error], [5, Error]],
  },
  {
    kind: floatList,
    flags: [
      [["0.5", "1.0,0.99"], [1, 0.99, 0.5]],
      [["1e-1"], [0.1]],
      [[".5"], [0.5]],
      [["0.5, 1"], Error],
      [["NaN"], Error],
      [[""], Error],
    ],
    file: [[[0.5, 1], [0.5, 1]], ["0.5, 1.0", [0.5, 1]], [["0.5"], Error], [0.5, Error]],
  },
  {
    kind: logLevel,
    flags: [[["debug"], 1], [["WARN"], 3], [["info", "fatal"], 5], [["loud"], Error], [["warning"], Error]],
    file: [["error", 4], [2, Error]],
  },
  {
    kind: tlsRequired,
    flags: [
      [["true"], "true"],
      [["1"], "true"],
      [["tRUE"], "true"],
      [["TCP-HTTPS"], "tcp-https"],
      [["0"], "false"],
      [["sometimes"], Error],
    ],
    file: [[true, "true"], [false, "false"], [1, "true"], ["tcp-https", "tcp-https"], [2, Error]],
  },
  {
    kind: tlsVersion,
    flags: [
      [["tls1.2"], "tls1.2"],
      [["TLS1.3"], "tls1.3"],
      [["tls1.0"], Error],
      [["tls1.1"], Error],
      [[""], undefined],
      [["tls1.3", ""], "tls1.3"],
      [["tls9"], Error],
      [["ssl3.0"], Error],
    ],
    file: [["tls1.2", "tls1.2"], ["tls1.1", Error], ["", undefined], [1.2, Error]],
  },
];

for (const { kind, flags, file } of KINDS) {
  for (const [texts, value] of flags) {
    Deno.test(`Kind ${kind.name} reads ${JSON.stringify(texts)} of a flag`, () => {
      if (value === Error) assertThrows(() => kind.fromFlag(texts), SyntaxError);
      else assertEquals(kind.fromFlag(texts), value);
    });
  }
  for (const [given, value] of file) {
    Deno.test(`Kind ${kind.name} reads ${typeof given} ${JSON.stringify(given)} of the file`, () => {
      if (value === Error) assertThrows(() => kind.fromFile(given), SyntaxError);
      else assertEquals(kind.fromFile(given), value);
    });
  }
}

Deno.test("Kind duration is nanoseconds in JSON", () => {
  assertEquals(duration.toJson(90_500), 90_500_000_000);
});

Deno.test("Kind of URLs reads them as they are, and shows no credentials", () => {
  const urls = urlList.fromFlag(["http://me:s3cret@a/", "b:1"]) ?? [];

  assertEquals(urls, ["http://me:s3cret@a/", "b:1"]);
  assertEquals(urlList.toJson(urls), ["http://***@a/", "b:1"]);
  assertEquals(urlList.show(urls), '"http://***@a/,b:1"');
});

Deno.test("Kind log level is a number in JSON", () => {
  assertEquals(logLevel.toJson(3), 3);
});

Deno.test("Kind tls required is a number in JSON", () => {
  assertEquals((["false", "tcp-https", "true"] as const).map((value) => tlsRequired.toJson(value)), [
    0,
    1,
    2,
  ]);
});

Deno.test("Kind tls version is the version's number on the wire in JSON", () => {
  assertEquals([tlsVersion.toJson("tls1.0"), tlsVersion.toJson("tls1.3")], [769, 772]);
});
