/**
 * All that the pages say, in English; each page has a group, in the order of the menu. What is a sentence is one text, also with
 * values and tags in it: languages order them otherwise. Numbers come as such, as grammar depends on them.
 *
 * Another language is a file like this one (texts.ts).
 *
 * @module
 */

import { ALERT_WORDS } from "../../alerts/alerts.ts";
import { BULK_WORDS } from "../../bulk_words.ts";
import { REDRIVE_WORDS } from "../../redrive/redrive.ts";
import type { TapWords } from "../../tap/tap.ts";
import type { ScriptTexts } from "../browser/script_texts.ts";
import { whole } from "../figures.ts";
import type { Content, Markup } from "../markup.ts";

/** Makes a link, or something else that has a text, of a part of a sentence. */
type Part = (text: string) => Markup;

/** See above. */
export const ENGLISH = {
  /** As HTML calls the language. */
  language: "en",
  /** Names of pages: in the menu, and where a page says what it is. */
  pages: {
    topics: "Topics",
    channels: "Channels",
    consumers: "Consumers",
    nodes: "Nodes",
    counter: "Counter",
    cluster: "Cluster",
    lookup: "Lookup",
    alerts: "Alerts",
    activity: "Activity",
    search: "Search",
    settings: "Settings",
    redrives: "Redrives",
  },
  /** What is around each page. */
  layout: {
    skip: "Skip to content",
    menu: "Main",
    mayLookOnly: "(may look only)",
    logOut: "Log out",
    underWay: (links: Content) => <>Under way: {links}</>,
    redrives: (count: number) => count === 1 ? "One redrive" : `${whole(count)} redrives`,
  },
  /** What was done just before, by the kind of change. */
  done: {
    onNode: (node: Markup, done: string) => <>Node {node}: {done}</>,
    kinds: {
      create: "It is created.",
      delete: "It is deleted.",
      pause: "It is paused.",
      unpause: "It goes on.",
      empty: "It is emptied.",
      publish: "The message is published.",
      tombstone: "It is taken off the node.",
      drain: "It is drained: it ends when consumers have finished what it has.",
      forget: "It is forgotten.",
      "requeue-message": "The message is the next to be delivered.",
      "delete-message": "The message is deleted.",
      "cancel-message": "The message is canceled.",
      kick: "It is cut off.",
      redrive: "It has begun.",
      "cancel-redrive": "It ends.",
      settings: "The pages are as you want them, in this browser.",
    },
  },
  keys: {
    title: "Keys",
    list: [
      ["/", "filter"],
      ["Ctrl+K", "search topics, channels, nodes and pages; arrows and Enter choose"],
      ["j, k", "to the next row, and back"],
      ["Enter", "open the row"],
      ["x", "tick the row, or no more"],
      ["p", "pause, or go on with, what the page is about, or the rows that are ticked: asks first"],
      ["Esc", "close this, or leave the field"],
      ["?", "this list"],
    ],
    going: (key: string) => `g, then ${key}`,
    to: (page: string) => `to ${page}`,
    close: "Close",
  },
  /** What the browser's script says, which puts values in place of what is in braces. */
  script: {
    stopUpdating: "Stop updating",
    goOnUpdating: "Go on updating",
    notUpdated: "Numbers are not updated.",
    numbersAreOld: "The connection is lost: numbers are old.",
    found: "{count} found",
    cannotSearch: "That cannot be searched now: {status}.",
    connectionLost: "The connection is lost.",
    kinds: { page: "page", topic: "topic", channel: "channel", node: "node" },
    watch: "Watch",
    stopWatching: "Stop",
    watching: "Watching.",
    tapRefused: "It was refused: there may be too many, or you are logged out.",
  } satisfies ScriptTexts,
  /** What many pages say. */
  common: {
    none: "There is none.",
    noAnswer: "Nobody has answered.",
    more: (count: number) => `and ${whole(count)} more`,
    outOf: (part: string, all: string) => `${part} of ${all}`,
    ago: (duration: string) => `${duration} ago`,
    asItWas: (when: Content) => <>as it was {when}</>,
    never: "never",
    notKnown: "not known",
    paused: "paused",
    noConsumers: "no consumers",
    total: "Total",
    doNot: "Do not",
    topicLink: (topic: Markup) => <>Topic {topic}</>,
    channelLink: (channel: Markup) => <>Channel {channel}</>,
    messages: "Messages",
    missingBelow: "What is known there only is missing below.",
    missingInNumbers: "What is known there only is missing in the numbers below.",
  },
  /** Who has not answered. */
  failures: {
    title: (count: number) =>
      `${count === 1 ? "One daemon has" : `${whole(count)} daemons have`} not answered`,
    cause: "What may be the cause",
    reason: (daemon: Markup, reason: string, answered?: Markup) => (
      <>
        {daemon}: {reason}
        {answered && <>, and has answered last at {answered}</>}
      </>
    ),
  },
  /** What may be behind the reason why somebody does not answer (likely_cause.ts). */
  causes: {
    nothingListensHere:
      "Nobody listens there, and that is the machine that this nsqadmin is on: the program does not run; or, if a node has told this address of itself, it is elsewhere, and must be started with a --broadcast-address that others can reach.",
    nothingListens:
      "Nobody listens there: the program does not run, or listens on another address or port (--http-address).",
    unknownName:
      "The name is not known here: if only the node's own network knows this address, start the node with a --broadcast-address that is known here.",
    noNameServers: "The name servers do not answer here.",
    noRoute:
      "There is no way from here to this address: if only the node's own network knows this address, start the node with a --broadcast-address that is known here.",
    silence:
      "Nothing comes back from this address, not even a refusal: its machine is off, or a firewall is in between; or, if only the node's own network knows this address, start the node with a --broadcast-address that is known here.",
    late: "It takes connections, and does not answer in time: it hangs, was stopped, or has too much to do.",
    noHttp:
      "What answers there speaks no HTTP, or ends the connection: the port may be that of TCP or HTTPS, or there are too many connections.",
    noNsq:
      "What answers there does not answer as NSQ does: something else may listen on this port, or a proxy is in between.",
    tooLarge: "It tells of more than is read: very many topics and channels, or something else than NSQ.",
    noAddress: "What was told is no address: a host and a port.",
    noToken: "It wants a token: that of --nsqd-auth-token-file is missing, or another one.",
    forbidden:
      "It does not let nsqadmin in: the token of --nsqd-auth-token-file lacks the role read, or a proxy is in between.",
    otherProgram:
      "Something else answers there, or an NSQ of another kind: the port may be that of another program.",
    loading: "It was started, and still reads its data path.",
    fault: "It has a fault of its own: its log says more.",
    otherAnswer: "What answers there may be something else than NSQ.",
    tls:
      "HTTPS fails: its certificate is not trusted here (--http-client-tls-root-ca-file), is for another name, is over, or it wants one from nsqadmin (--http-client-tls-cert).",
  },
  /** What is missing of the numbers of the cluster. */
  news: {
    older: "What is known there only is missing below, or older than the rest.",
    leftOut: (count: number) =>
      `There are too many topics and channels: ${whole(count)}, counted at each node, are left out.`,
    gone: (count: number) => `${count === 1 ? "One node is" : `${whole(count)} nodes are`} gone`,
    goneMeans: (forgotten: Part) => (
      <>
        Nobody tells of them any more; what they had is missing below. Those that are meant to be gone can be
        {" "}
        {forgotten("forgotten")}.
      </>
    ),
    goneNode: (node: Markup, ago: Content, waiting: number) => (
      <>
        {node}, {ago}, with {whole(waiting)} messages waiting
      </>
    ),
    goneWith: (count: number) =>
      `${count === 1 ? "One node that had it is" : `${whole(count)} nodes that had it are`} gone`,
    goneWithMeans: "Nobody tells of them any more; what they had is missing below.",
    goneNodeWith: (node: Markup, ago: Content, depth: number) => (
      <>
        {node}, {ago}, where {whole(depth)} messages waited
      </>
    ),
    lastKnown: (count: number) => `${count === 1 ? "One of them" : `${whole(count)} of them`} had it`,
    lastKnownOf: (node: Markup, ago: Content, numbers: string) => (
      <>
        {node}, as it was {ago}: {numbers}
      </>
    ),
    last: {
      waiting: (count: number) => `${whole(count)} waiting`,
      inFlight: (count: number) => `${whole(count)} in flight`,
      deferred: (count: number) => `${whole(count)} deferred`,
      consumers: (count: number) => `${whole(count)} consumers`,
    },
  },
  /** Heads of columns. */
  columns: {
    about: "About",
    actions: "Actions",
    address: "Address",
    attempts: "Attempts",
    began: "Began",
    body: "Body",
    bytes: "Bytes",
    byWhom: "By whom",
    cause: "What may be the cause",
    channel: "Channel",
    channels: "Channels",
    clientId: "Client id",
    connectedFor: "Connected for",
    connectedSince: "Connected since",
    connection: "Connection",
    connections: "Connections",
    consumers: "Consumers",
    daemonsDone: "Daemons that have done it",
    daemonsNotDone: "Those that have not",
    deepestChannel: "Deepest channel",
    deferred: "Deferred",
    depth: "Depth",
    depthLately: "Depth, 10 min",
    emptyIn: "Empty in",
    finished: "Finished",
    flag: "Flag",
    found: "Found",
    from: "From",
    goneSince: "Gone since",
    gossip: "Gossip",
    happened: "What happened",
    host: "Host",
    http: "HTTP",
    id: "Id",
    inChannels: "In channels",
    inFlight: "In flight",
    inMemory: "In memory",
    inRate: "In/s",
    kind: "What it is",
    lastAnswer: "Last answer",
    lastAnswerMs: "Last answer, ms",
    members: "Members",
    memory: "Memory",
    messages: "Messages",
    name: "Name",
    node: "Node",
    nodes: "Nodes",
    notHere: "Not here",
    of: "Of",
    oldest: "Oldest",
    onDisk: "On disk",
    onlyHere: "Only here",
    outcome: "Outcome",
    outRate: "Out/s",
    place: "Region, zone",
    published: "Published",
    putBack: "Put back",
    ready: "Ready",
    redriven: "Redriven",
    requeued: "Requeued",
    requeuedPercent: "Requeue %",
    rule: "Rule",
    runsFor: "Runs for",
    since: "Since",
    state: "State",
    tcpPort: "TCP port",
    timedOut: "Timed out",
    timeUtc: "Time (UTC)",
    to: "To",
    toDo: "To do",
    toldBy: "Told by",
    topic: "Topic",
    topicAndChannel: "Topic and channel",
    topics: "Topics",
    until: "Until",
    userAgent: "User agent",
    value: "Value",
    version: "Version",
    waiting: "Waiting",
    waitingLately: "Waiting, 10 min",
    what: "What",
    when: "When",
    who: "Who",
    you: "You",
  },
  /** Names of numbers that are to be known first. */
  facts: {
    nodes: "nodes",
    nodesBy: {
      new: "nodes new",
      up: "nodes up",
      late: "nodes late",
      failing: "nodes failing",
      gone: "nodes gone",
    },
    topics: "topics",
    waitingInTopics: "waiting in topics",
    waitingInChannels: "waiting in channels",
    waiting: "waiting",
    inRate: "messages in a second",
    outRate: "finished in a second",
    inFlight: "in flight",
    deferred: "deferred",
    consumers: "consumers",
    runsFor: "runs for",
    heap: "memory of the heap",
    process: "memory of the process",
    objects: "objects on the heap",
    collections: "garbage collections",
    pauses99: "their pauses, 99 %, µs",
    pauseMax: "the longest, µs",
    freeOnDisk: "free on the disk",
    gossip: "gossip",
  },
  /** Graphs. */
  charts: {
    title: "Graphs",
    span: "Span of the graphs",
    spans: { "10m": "10 minutes", "1h": "an hour", "24h": "a day" },
    value: (what: string, value: string) => `${what}: ${value}`,
    graphite: (links: Content) => <>Graphite, 7 days: {links}</>,
    atMost: (value: string) => `at most ${value}`,
    nothingYet: (what: string, span: string) => `${what}: nothing is known yet of ${span}`,
    figures: (what: string, unseen: Part) => <>Figures{unseen(`of ${what}`)}</>,
    of: {
      depth: "Depth",
      waitingOfTopic: "Waiting, with what waits in channels",
      waitingOfNode: "Waiting, in topics and channels",
      inRate: "In, messages in a second",
      finishedRate: "Finished in a second",
      channelsFinishedRate: "Finished by channels in a second",
      inFlight: "In flight",
      deferred: "Deferred",
      consumers: "Consumers",
      heap: "Memory of the heap",
    },
  },
  /** What is around tables. */
  table: {
    filter: "Filter",
    show: "Show",
    shown: (count: number, countInAll: number, what: string) =>
      `${count === countInAll ? whole(countInAll) : `${whole(count)} of ${whole(countInAll)}`} ${what}`,
    pages: "Pages",
    page: (page: number, pages: number) => `page ${page} of ${pages}`,
    first: "First",
    back: "Back",
    next: "Next",
    latency: "time from publishing to finishing, of that part of the messages",
  },
  /** Tables as files. */
  export: {
    allRows: (csv: Markup, json: Markup) => <>All rows as {csv}, {json}</>,
    as: (format: string) => `as ${format}`,
    tableAs: (table: string, format: string) => `${table} as ${format}`,
    tables: {
      nodes: "nodes",
      channels: "channels",
      consumers: "consumers",
      registries: "registries",
      unreachable: "unreachable",
      gone: "gone",
    },
    messages: (
      formats: { readonly csv: Markup; readonly json: Markup; readonly lines: Part },
      most: number,
    ) => (
      <>
        These as {formats.csv}, {formats.json}; with those after them, up to {whole(most)}, as{" "}
        {formats.lines("JSON in lines")}
      </>
    ),
  },
  /** Buttons that change topics and channels. */
  actions: {
    title: "Actions",
    onAllNodes: "Actions on all nodes",
    pause: "Pause",
    unpause: "Unpause",
    empty: "Empty…",
    delete: "Delete…",
    pauseHere: "Pause here",
    unpauseHere: "Unpause here",
    emptyHere: "Empty here…",
    takeOff: "Take off this node…",
    forget: "Forget…",
    drain: "Drain…",
    kick: "Kick…",
  },
  /** A form that makes a topic, or a channel. */
  create: {
    title: "Create",
    topic: "Topic",
    channel: "Channel (may be empty)",
    button: "Create",
  },
  topics: {
    caption: "Topics, over all nodes",
    count: (count: number) => count === 1 ? "topic" : "topics",
  },
  topic: {
    title: (topic: string) => `Topic ${topic}`,
    heading: (topic: string) => `Topic ${topic}`,
    tap: "Tap",
    notThere: "No node that has answered has this topic.",
    nodes: "Nodes that have the topic",
    channels: "Channels, over all nodes",
    noChannel: "No channel: messages are kept until there is one.",
  },
  channel: {
    title: (channel: string, topic: string) => `Channel ${channel} of ${topic}`,
    heading: (channel: string) => `Channel ${channel}`,
    notThere: "No node that has answered has this channel.",
    nodes: "Nodes that have the channel",
  },
  channels: {
    caption: "Channels, over all nodes",
    count: (count: number) => count === 1 ? "channel" : "channels",
    neverEmpty: "never",
  },
  consumers: {
    missing: "Connections to these are missing below.",
    leftOut: (count: number) =>
      `There is more than can be shown: ${whole(count)} connections and channels of nodes are left out.`,
    count: (count: number) => count === 1 ? "consumer" : "consumers",
    caption: "Consumers, over all nodes and channels",
    andMore: (links: Content, more: number) => <>{links} and {whole(more)} more</>,
    notOnAll: "not on all",
    slow: "slow",
    authorized: "authorized",
    authorizedAs: (names: string) => `authorized as ${names}`,
    others: "others",
    ofConnections: (what: string, part: number, all: number) => `${what} (${part} of ${all})`,
    sampled: (percent: number) => `sampled ${percent} %`,
    /** Of one channel. */
    none: "No consumers.",
    noneWanted: "No consumers: messages are waiting for one.",
    captionOfChannel: "Consumers",
    shown: "Consumers shown",
    each: "each connection",
    host: "by host",
    client: "by client id",
    captionBy: (grouping: string) => `Consumers, ${grouping}`,
  },
  nodes: {
    caption: "Nodes of the cluster",
    count: (count: number) => count === 1 ? "node" : "nodes",
    states: {
      up: "answers",
      new: "not asked yet",
      late: "late",
      failing: "does not answer",
      gone: "gone",
    },
    outdated: "outdated",
    someTombstoned: "(some tombstoned)",
    disagreement: "not all agree",
    notWell: "not well",
    draining: "draining",
  },
  node: {
    title: (address: string) => `Node ${address}`,
    heading: (name: string) => `Node ${name}`,
    notThere: "Nobody who has answered tells of this node.",
    tombstoned: "tombstoned",
    caption: "Topics of the node",
    noAnswer: "It has not answered.",
    about: (version: string, tcpPort: number, state: string, heard: Content) => (
      <>
        nsqd v{version}, TCP port {tcpPort}; it {state}. It was heard of {heard}.
      </>
    ),
    states: {
      up: "answers",
      new: "has not been asked yet",
      late: "is late",
      failing: "does not answer",
      gone: "is gone",
    },
    otherVersions: (versions: string) => `Other nodes are of other versions: ${versions}.`,
    versionsAndMore: (versions: string, more: number) => `${versions} and ${whole(more)} more`,
    notWell: (health: string) => `It says that it is not well: ${health}`,
    started: (time: Markup) => <>It was started at {time}.</>,
  },
  /** What becomes of the messages of a node that is stopped. */
  stop: {
    title: "Is it safe to stop?",
    othersHaveThem: "Yes: its messages are in a database, and other instances have them, too.",
    noMessage: "Yes: there is no message on it.",
    inMemoryOnly: (count: number) =>
      `No: it keeps messages in memory only, and all ${whole(count)} are lost when it stops.`,
    nothingIsLost: "Yes, if it is stopped in order and started again: nothing is lost.",
    ephemeralAreLost: (count: number) =>
      `Not quite: ${whole(count)} messages are in ephemeral topics and channels, and are lost when it stops.`,
    waitForIt: (count: number) =>
      `${whole(count)} messages wait on it until it is started again: nobody else has them.`,
    notOnDisk: (count: number) =>
      `Up to ${
        whole(count)
      } of them are in memory only: a stop in order writes them to the disk, and if it is killed they are lost.`,
    asOfLastAnswer: "That is as of when it answered last.",
    drained: (left: number) => `It is being drained: ${whole(left)} messages are left.`,
    drainedBy: (left: number, time: string) =>
      `It is being drained: ${whole(left)} messages are left. It ends in ${time} at the latest.`,
  },
  counter: {
    heading: "Messages that channels have had",
    about: (nodes: string, channels: number, rate: string) =>
      `On ${nodes} nodes, in ${
        whole(channels)
      } channels of them, since each was started; ${rate} in a second.`,
  },
  cluster: {
    registries: "Who tells of nodes",
    unreachable: "Who cannot be reached",
    gone: "Nodes that are gone",
    lookup: (page: Part) => (
      <>
        Topics that no node has any more are on{" "}
        {page("the page of lookup")}, where they can be deleted, and others created.
      </>
    ),
    list: (count: number) => `Nobody: there is a list of ${whole(count)} nsqds.`,
    gossipers: "nsqds with gossip, and the members that each sees",
    lookupds: "nsqlookupds",
    answers: "answers",
    notAskedYet: "not asked yet",
    noAnswer: "does not answer",
    answeredLast: (ago: Content) => <>it did {ago}</>,
    gossip: (health: string, nodes: string) => `${health}: ${nodes} nodes`,
    gossipOfAgents: (health: string, nodes: string, agents: string, failed: string) =>
      `${health}: ${nodes} nodes, ${agents} agents, of which ${failed} failed`,
    allAnswer: "All that were asked have answered.",
    addresses: "Addresses, and what may be the cause",
    noneGone: "None, in the last day.",
    goneNodes: "Nodes of which nobody tells any more, and what they had",
  },
  lookup: {
    cluster: (page: Part) => <>How those answer who tell of nodes is on {page("the page of the cluster")}.</>,
    list: "Nobody tells of nodes: there is a list of them.",
    lookupds: "nsqlookupds",
    gossipers: "nsqds with gossip",
    inactive: "Topics that no node has",
    caption: "Names that are still known, and may be deleted",
  },
  alerts: {
    strip: (count: number) => count === 1 ? "One alert" : `${whole(count)} alerts`,
    since: (subject: Markup, rule: string, time: Markup) => (
      <>
        {subject}: {rule}, since {time}
      </>
    ),
    count: (count: number) => count === 1 ? "alert" : "alerts",
    leftOut: (count: number) => `There are ${whole(count)} more, for which there is no room.`,
    caption: "Alerts",
    states: { pending: "pending", firing: "firing", resolved: "resolved" },
    words: ALERT_WORDS,
    rules: "Rules",
    aboutRules: (json: Part) => (
      <>
        Those of --alert and, unless --alert-defaults=false, three of nsqadmin's own. The alerts are also
        there as {json("JSON")}.
      </>
    ),
  },
  activity: {
    about: (
      most: number,
      links: { readonly json: Part; readonly csv: Part; readonly redrives: Markup },
    ) => (
      <>
        What people have changed here since this nsqadmin was started, and what they were refused: the last
        {" "}
        {most}. Also as {links.json("JSON")} and {links.csv("CSV")}. Messages that were published again are on
        {" "}
        {links.redrives}.
      </>
    ),
    count: (count: number) => count === 1 ? "activity" : "activities",
    caption: "Activity, the newest first",
    outcomes: { done: "done", partly: "partly", failed: "failed", refused: "refused" },
    /** What was done; others, as paths that were refused, are called as in the API. */
    actions: {
      create: "create",
      delete: "delete",
      pause: "pause",
      unpause: "unpause",
      empty: "empty",
      publish: "publish",
      tombstone: "tombstone",
      drain: "drain",
      forget: "forget",
      "requeue-message": "requeue-message",
      "delete-message": "delete-message",
      "cancel-message": "cancel-message",
      kick: "kick",
      redrive: "redrive",
      "cancel-redrive": "cancel-redrive",
      "end-redrive": "end-redrive",
      "end-bulk": "end-bulk",
      "log in": "log in",
      "log out": "log out",
    },
    message: (id: string) => `message ${id}`,
    client: (client: string) => `client ${client}`,
    to: (topic: string) => `to ${topic}`,
    onNode: (node: string) => `on ${node}`,
  },
  search: {
    label: "Topics, channels, nodes, pages",
    button: "Search",
    found: (count: number) => `${whole(count)} found`,
    firstFound: (shown: number, count: number) => `the first ${whole(shown)} of ${whole(count)} found`,
    caption: "Found",
  },
  settings: {
    about: "They are of this browser, in a cookie.",
    colours: "Colours",
    themes: { system: "as the system", light: "light", dark: "dark" },
    numbers: "Numbers",
    live: "kept up to date, where scripts run",
    asLoaded: "as of when a page was loaded",
    columns: {
      topics: "Columns of topics",
      channels: "Columns of channels",
      consumers: "Columns of consumers",
      nodes: "Columns of nodes",
    },
    keep: "Keep",
    usual: "As usual",
    rights: "What you may do",
    rightsCaption: "Rights",
    unknownUser: "Nobody says who you are.",
    user: (name: string) => `You are ${name}.`,
    roles: (roles: string) => `Your role: ${roles}.`,
    open:
      "Whoever reaches this nsqadmin may do everything: there is no --admin-user, and nobody has to log in.",
    may: "may",
    mayNot: "may not",
    right: {
      create: "create topics and channels",
      pause: "pause topics and channels, and let them go on",
      publish: "publish messages",
      requeue: "have messages delivered at once",
      forget: "forget nodes that are gone",
      peek: "read what messages say",
      empty: "empty topics and channels",
      delete: "delete topics, channels and messages",
      tombstone: "take a topic off a node",
      drain: "drain nodes",
      kick: "cut consumers off",
      redrive: "publish messages of one topic to another again",
      config: "see and change options",
    },
    options: "Options",
    optionsForNetwork: "They are shown to clients in the network of --allow-config-from-cidr only.",
    optionsCaption: "Options of this nsqadmin, as they are now",
  },
  login: {
    title: "Log in",
    user: "User",
    password: "Password",
    button: "Log in",
    problems: {
      INVALID_CREDENTIALS: "There is no such user, or that is not the password.",
      TOO_MANY_WRONG_LOGINS: "That was wrong too often: try again in a minute.",
      TOO_MANY_LOGINS: "Too many log in at this moment: try again.",
    },
  },
  /** The messages of a channel, and one of them. */
  messages: {
    title: (topic: string, channel: string) => `Messages of ${topic}/${channel}`,
    heading: (channel: string) => `Messages of channel ${channel}`,
    cannotBeChosen: "Nodes that are known there only cannot be chosen below.",
    noNode: "No node that is known has this topic.",
    notShown: (node: Markup, reason: string | undefined) => (
      <>
        Node {node} shows no messages: {reason}
      </>
    ),
    noSuchNode: "nobody tells of such a node that has the topic",
    noDeadLetters: (topic: string) => `No topic is known that holds dead letters of ${topic} by its name.`,
    deadLetters: (topic: Markup, channels: Content) => (
      <>
        {topic}: messages of {channels}
      </>
    ),
    node: "Node",
    state: "State",
    anyState: "any",
    states: { waiting: "waiting", "in-flight": "in flight", deferred: "deferred", dead: "dead" },
    searchBy: "Search by",
    searches: { text: "text", pattern: "pattern (RE2)", path: "JSON path" },
    searchFor: "for",
    pathValue: "which (JSON path) is",
    anyValue: "anything",
    bodiesAs: "Bodies as",
    bodies: { text: "text", json: "JSON, laid out", hex: "hex" },
    caption: (node: string) => `Messages on ${node}, as they were published`,
    noneYet: "None up to here: there is more to look at.",
    looked: (count: number) => `${whole(count)} looked at.`,
    unreadable: (count: number) => `${whole(count)} places on disk could not be read.`,
    partly: (count: number) => `${whole(count)} bodies are too long to be searched whole.`,
    requeue: "Requeue now",
    deliver: "Deliver now",
    cancel: "Cancel…",
    noText: "no text: shown as hex",
    notWhole: "not whole: not laid out",
    noJson: "no JSON: shown as text",
    cut: (bytes: number) => `only the first ${bytes} bytes are shown`,
    waiting: "waiting",
    inFlight: (client: string) => `in flight: ${client}`,
    inFlightFor: (client: string, time: string) => `in flight: ${client}, for another ${time}`,
    deferred: "deferred",
    deferredFor: (time: string) => `deferred, due in ${time}`,
  },
  message: {
    title: (id: string) => `Message ${id}`,
    notAsked: "Nodes that are known there only are not asked.",
    notShown: (node: Markup, reason: string | undefined) => (
      <>
        Node {node} does not show it: {reason}
      </>
    ),
    publishAgain: "Change and publish again",
    bodyAs: "Body as",
    bodies: { text: "Text", json: "JSON", hex: "Hex" },
  },
  publish: {
    title: "Publish",
    message: "Message",
    node: "Node",
    delay: "Delay, in ms",
    button: "Publish",
  },
  tap: {
    title: (topic: string) => `Tap of ${topic}`,
    heading: (topic: string) => `Tap of topic ${topic}`,
    about: (rate: number) =>
      `This is a copy; nothing is taken away: a channel of its own, which is gone with this page, is given what is published from now on. No more than ${rate} messages in a second are shown.`,
    leftOut: "Nodes that are known there only are left out.",
    allNodes: "all",
    ready: "At a time",
    seconds: "Seconds",
    gather: "Gather",
    caption: "Messages",
    noneYet: "None yet.",
    noneIn: (seconds: number) => `None came in ${seconds} s.`,
    words: {
      withoutChannel: (nodes) => `left out, for the topic has no channel there: ${nodes}`,
      disconnected: (node) => `${node}: the connection has ended`,
      nothingToTap:
        "There is nothing that could be looked at without taking it away: the topic has no other channel, so its messages wait for the first one.",
      timeIsOver: "Ten minutes are over.",
    } satisfies TapWords,
  },
  redrives: {
    about: (most: number) =>
      `Messages that are published to another topic, and the last ${most} times that some were. They begin on the page of a channel.`,
    caption: "Redrives, the newest first",
    words: REDRIVE_WORDS,
    running: (rate: number) => `running, ${whole(rate)} in a second`,
    cancel: "Cancel",
  },
  /** Asks for one. */
  redrive: {
    summary: "Redrive",
    summaryOf: (origin: string) => `Redrive: these are dead letters of ${origin}`,
    running: (redriven: number, count: number, to: string) =>
      `${whole(redriven)} of ${whole(count)} are redriven to ${to}`,
    about: (channel: string) =>
      `Publishes messages of channel ${channel} to another topic; they are gone from here then.`,
    to: "To topic",
    rate: "Messages in a second",
    messages: (field: Markup) => <>At most {field} messages</>,
    dryRun: "Dry run…",
    deadLetters: (topics: Content) => <>Dead letters are in {topics}</>,
    title: "Redrive?",
    heading: (channel: string, topic: string, to: string) =>
      `Redrive channel ${channel} of topic ${topic} to topic ${to}?`,
    leftThere: "What waits there is left where it is, as far as it is not known.",
    count: "Messages",
    takes: "Takes about",
    publishedOn: "Published on",
    noNode: "no node",
    waiting: "What waits",
    firstOnes: "The first of them",
    nothing: "Nothing waits there: nothing would be done.",
    means: (to: string, channel: string) =>
      `Each is published to ${to}, and is gone from channel ${channel} when that is acknowledged. Nothing is lost; if a connection is lost meanwhile, some may be published twice.`,
    button: (count: number) => `Redrive ${whole(count)}`,
  },
  /** Changes of many at once. */
  bulk: {
    form: "Many at once",
    which: "Do with",
    ticked: "those that are ticked",
    found: "all that the filter lets through",
    tick: (name: string) => `Tick ${name}`,
    topics: (count: number) => `${whole(count)} ${count === 1 ? "topic" : "topics"}`,
    channels: (count: number) => `${whole(count)} ${count === 1 ? "channel" : "channels"}`,
    pause: {
      button: "Pause…",
      what: (what: string) => `Pause ${what}`,
      topics: "On all nodes, messages are kept until it goes on.",
      channels: "On all nodes, messages are kept until it goes on.",
    },
    unpause: {
      button: "Unpause…",
      what: (what: string) => `Unpause ${what}`,
      topics: "On all nodes, messages flow again.",
      channels: "On all nodes, messages flow again.",
    },
    empty: {
      button: "Empty…",
      what: (what: string) => `Empty ${what}`,
      topics:
        "Messages that wait in the topics themselves are dropped, on all nodes; what their channels have stays.",
      channels: "Messages that wait in them are dropped, on all nodes.",
    },
    delete: {
      button: "Delete…",
      what: (what: string) => `Delete ${what}`,
      topics:
        "They are deleted on all nodes, with the messages that wait in them. Consumers of them are cut off.",
      channels:
        "They are deleted on all nodes, with the messages that wait in them. Consumers of them are cut off.",
    },
    question: (what: string) => `${what}?`,
    wrongNumber: "Nothing was done: that is not their number.",
    onlyListed: "It is done with what is listed here, and with nothing else.",
    leftOut: (count: number, most: number) =>
      `${whole(count)} more are left for another time: in one go it is ${
        whole(most)
      } at most, the first in the table's order.`,
    listed: "What it is done with",
    numbers: (waiting: number, consumers: number) =>
      `${whole(waiting)} waiting, ${whole(consumers)} consumers`,
    typeNumber: (count: number) => `To say yes, type how many these are, ${count}:`,
    running: "It is being done. This page need not stay open.",
    stopping: "Nothing further is begun; what is under way is still done.",
    stopped: "It was stopped before all was done.",
    ended: "All of it was tried.",
    stoppedBecause: (problem: string) => `It was stopped: ${problem}.`,
    words: BULK_WORDS,
    done: "done",
    failed: "failed",
    left: "not begun",
    begun: (user: string, address: string, time: Markup) => (
      <>
        Begun by {user} at {address}, {time}.
      </>
    ),
    somebody: "somebody",
    again: "Look again",
    stop: "Stop",
    tryAgain: "Try again what is not done",
    caption: "What has failed",
    backTo: { topics: "Go on to all topics", channels: "Go on to all channels" },
  },
  /** Changes: what is asked, what it means, and what the button says; in the questions, what it is about. */
  changes: {
    topic: (topic: string) => `topic ${topic}`,
    channel: (topic: string, channel: string) => `channel ${channel} of topic ${topic}`,
    onNode: (what: string, node: string) => `${what} on node ${node}`,
    message: (id: string, { topic, channel, node }: Readonly<Record<"topic" | "channel" | "node", string>>) =>
      `message ${id} of channel ${channel} of topic ${topic} on node ${node}`,
    asked: (question: string) => `${question}?`,
    create: {
      question: (what: string) => `Create ${what}`,
      meaning: "Consumers and producers are told of it.",
      button: "Create",
    },
    pause: {
      question: (what: string) => `Pause ${what}`,
      meaning: "Messages are kept until it goes on.",
      button: "Pause",
    },
    unpause: {
      question: (what: string) => `Unpause ${what}`,
      meaning: "Messages flow again.",
      button: "Unpause",
    },
    empty: {
      question: (what: string) => `Empty ${what}`,
      meaning: "Messages that wait in it are dropped, on all nodes.",
      meaningOnNode: "Messages that wait in it are dropped, on this node only.",
      button: "Empty",
    },
    delete: {
      question: (what: string) => `Delete ${what}`,
      meaning: "It is deleted on all nodes, with the messages that wait in it. Consumers of it are cut off.",
      button: "Delete",
    },
    publish: {
      question: (topic: string, node: string) => `Publish a message to topic ${topic} on node ${node}`,
      meaning: "Each channel of the topic has it on this node.",
      button: "Publish",
    },
    tombstone: {
      question: (topic: string, node: string) => `Take topic ${topic} off node ${node}`,
      meaning:
        "The node deletes the topic with its channels and the messages in them, and consumers are not told of the node for a while, in which they find others.",
      button: "Take off",
    },
    drain: {
      question: (node: string) => `Drain node ${node}`,
      meaning:
        "It takes no more messages, nobody is told of it any more, consumers finish what it has, and then it ends. That cannot be taken back: it must be started anew.",
      button: "Drain",
    },
    forget: {
      question: (node: string) => `Forget node ${node}`,
      meaning:
        "It is not said any more that it is gone, and alerts about that are over; what it had last is not shown any more. If somebody tells of it again, it is there again.",
      button: "Forget",
    },
    kick: {
      question: (client: string) => `Cut ${client} off`,
      questionOfChannel: (client: string, topic: string, channel: string) =>
        `Cut ${client} off from channel ${channel} of topic ${topic}`,
      nameless: "who says nothing of itself",
      meaning:
        "All connections that are called so are ended. What is in flight there times out, and is delivered again. Clients connect again as soon as they like.",
      meaningOfOne:
        "This connection is ended. What is in flight there times out, and is delivered again. Clients connect again as soon as they like.",
      button: "Cut off",
    },
    redrive: {
      question: (channel: string, topic: string, to: string) =>
        `Redrive channel ${channel} of topic ${topic} to topic ${to}`,
      meaning: "Each message is published there, and is gone from this channel then.",
      button: "Redrive",
    },
    "cancel-redrive": {
      question: (id: string) => `Cancel redrive ${id}`,
      meaning: "What is published stays published; all else stays where it is.",
      button: "Cancel redrive",
    },
    "requeue-message": {
      question: (what: string) => `Requeue ${what}`,
      meaning: "It is the next to be delivered, also if a consumer has it in flight.",
      button: "Requeue message",
    },
    "delete-message": {
      question: (what: string) => `Delete ${what}`,
      meaning: "It is gone from this channel, also if a consumer has it in flight.",
      button: "Delete message",
    },
    "cancel-message": {
      question: (what: string) => `Cancel ${what}`,
      meaning: "It is gone from this channel, unless it is due by then.",
      button: "Cancel message",
    },
  },
  /** What is said where some have not made a change. */
  partlyDone: {
    title: (change: string) => `${change}: not everywhere`,
    notDone: (change: string) => `${change}: not done`,
    notEverywhere: (change: string) => `${change}: not done everywhere`,
    notDoneThere: "There it has not been done, as far as is known.",
    doneBy: "It was done by:",
    tryAgain: "Try again",
    tryRestAgain: "Try again where it was not done",
    goOn: "Go on",
  },
  /** What is refused. */
  refused: {
    logIn: "Log in",
    /** By the status of HTTP; others are called as there. */
    statuses: {
      400: "Bad Request",
      401: "Unauthorized",
      403: "Forbidden",
      404: "Not Found",
      409: "Conflict",
      413: "Request Entity Too Large",
      429: "Too Many Requests",
      502: "Bad Gateway",
      503: "Service Unavailable",
    },
    reasons: {
      UNAUTHORIZED: "You are not logged in, or not any more: nothing was done.",
      FORBIDDEN: "You may not do that: ask whoever runs this nsqadmin (--user-file, --admin-user).",
      INVALID_TOPIC: "That is no name of a topic: up to 64 of the characters a-z, A-Z, 0-9, . _ and -.",
      INVALID_CHANNEL: "That is no name of a channel: up to 64 of the characters a-z, A-Z, 0-9, . _ and -.",
      INVALID_ACTION: "That cannot be done here.",
      NODE_NOT_GONE: "This node is not gone, or is forgotten already.",
      INVALID_TARGET:
        "That is no topic to publish to: another one than they come from, and none that is ephemeral.",
      INVALID_RATE: "That is no rate: 1 to 10,000 messages in a second.",
      INVALID_MESSAGES: "That is no number of messages: 1 to 1,000,000.",
      NOTHING_TO_REDRIVE: "Nothing waits there any more.",
      REDRIVE_RUNNING: "Messages of this channel are being redriven already.",
      REDRIVE_OVER: "It is over already.",
      REDRIVE_NOT_FOUND: "There is no such redrive.",
      TOO_MANY_REDRIVES: "There are as many redrives as there can be at a time: wait, or cancel one.",
      TOO_MANY_TAPS: "There are as many taps as there can be at a time: close one.",
      INVALID_READY: "That is no number of messages at a time: 1 to 50.",
      INVALID_SECONDS: "That is no number of seconds: 1 to 10.",
      INVALID_COUNT: "That is no number of messages: 1 to 10,000.",
      NODE_NOT_FOUND: "Nobody tells of such a node that has the topic.",
      MISSING_CLIENT: "It is not said who is to be cut off.",
      CLIENT_NOT_FOUND: "No such consumer is connected any more.",
      INVALID_FORMAT: "That is no format of a table: json or csv.",
      INVALID_TABLE: "There is no such table on this page.",
      MSG_EMPTY: "A message must say something.",
      MSG_TOO_BIG: "Messages from here have 64 KiB at most.",
      INVALID_DEFER: "That is no delay: a whole number of milliseconds.",
      INVALID_BODY: "That is too much.",
      INVALID_NAME: "One of these is no name of a topic or channel.",
      NOTHING_TICKED: "Nothing is ticked: tick rows of the table, or take all that the filter lets through.",
      NOTHING_FOUND: "There is nothing that this could be done with.",
      TOO_MANY_NAMES: "These are too many for one go: 1,000 at most.",
      TOO_MANY_CHANGES:
        "Changes of many are being made: two at a time. Wait until one has ended, or stop it.",
      NO_SUCH_GO:
        "That is not known any more: the last 20 are kept, as long as nsqadmin runs. The activity may tell of it.",
      TOO_MANY_PAGES: "Too many pages are open.",
    },
  },
};
