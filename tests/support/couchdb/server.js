// A CouchDB for tests: express-pouchdb in memory, behind real Basic authentication, with faults on request.
//
// node server.js PORT CONTROL_PORT USER PASSWORD TLS_PORT PEM_FILE; all on 127.0.0.1. PEM_FILE holds certificate and key.
// It carries out a JSON object that is sent to the control port, see `commands`; tests/support/couchdb.py does that.
"use strict";

const fs = require("fs");
const http = require("http");
const https = require("https");
const express = require("express");
const PouchDB = require("pouchdb");
PouchDB.plugin(require("pouchdb-adapter-memory"));

const [port, controlPort, user, password, tlsPort, pemFile] = process.argv.slice(2);
const credentials = "Basic " + Buffer.from(`${user}:${password}`).toString("base64");
const expressPouchDB = require("express-pouchdb");

// express-pouchdb cannot make a database again that was deleted, so a reset begins with another one.
let generation = 0;
function empty() {
  generation += 1;
  const Memory = PouchDB.defaults({ adapter: "memory", prefix: `${generation}-` });
  return expressPouchDB(Memory, { mode: "minimumForPouchDB", overrideMode: { exclude: ["compression"] } });
}

let databases = empty();
let faults = [];
let requests = [];
let connections = 0;

// What happens instead of, or before, CouchDB's answer. Each takes the fault as it was asked for, and `next`.
const actions = {
  hang() {},
  delay(fault, req, res, next) {
    setTimeout(next, fault.ms);
  },
  drop(fault, req) {
    req.socket.destroy();
  },
  // The change is made, its answer gets lost.
  drop_answer(fault, req, res, next) {
    res.write = res.end = () => req.socket.destroy();
    next();
  },
  // The change is made, its answer never comes.
  keep_answer(fault, req, res, next) {
    res.write = res.end = () => {};
    next();
  },
  // Once the request has come in whole, which is then recorded whole.
  answer(fault, req, res) {
    req.on("end", () => {
      res.writeHead(fault.status, fault.headers);
      res.end(Buffer.from(fault.body, "base64"));
    });
    req.resume();
  },
  // Bytes as they are, one after the other, without regard to HTTP.
  drip(fault, req) {
    const bytes = Buffer.from(fault.body, "base64");
    let sent = 0;
    const timer = setInterval(() => {
      if (req.socket.destroyed) return clearInterval(timer);
      req.socket.write(bytes.subarray(sent, sent + 1));
      sent = (sent + 1) % bytes.length;
    }, fault.ms);
  },
  flood(fault, req, res) {
    const piece = Buffer.alloc(65536, " ");
    const more = () => {
      while (!res.destroyed && res.write(piece));
    };
    res.on("drain", more);
    more();
  },
};

const commands = {
  misbehave(fault) {
    faults.push(fault);
  },
  behave() {
    faults = [];
  },
  reset() {
    faults = [];
    requests = [];
    databases = empty();
  },
  requests() {
    return requests;
  },
  // To connections that come from now on.
  present({ pem }) {
    servers[1].setSecureContext({ cert: pem, key: pem });
  },
  // Until `listen`, new connections are refused; what is stored stays.
  refuse() {
    return Promise.all(
      servers.map((server) => {
        const closed = new Promise((done) => server.close(done));
        server.closeAllConnections();
        return closed;
      }),
    );
  },
  listen() {
    return Promise.all(servers.map((server, position) => listening(server, position ? tlsPort : port)));
  },
};

const app = express();
app.disable("x-powered-by");

app.use((req, res, next) => {
  const chunks = [];
  const seen = { method: req.method, url: req.url, headers: req.headers, connection: req.socket.number };
  requests.push(seen);
  // A listener of our own would start the flow before express-pouchdb listens.
  const emit = req.emit;
  req.emit = function (name, ...values) {
    if (name === "data") {
      chunks.push(values[0]);
      seen.body = Buffer.concat(chunks).toString("base64");
    }
    return emit.call(this, name, ...values);
  };
  const fault = faults.find((each) => each.times !== 0 && (!each.method || each.method === req.method));
  if (!fault) return next();
  fault.times -= 1;
  actions[fault.action](fault, req, res, next);
});

app.use((req, res, next) => {
  if (req.headers.authorization === credentials) return next();
  const reason = req.headers.authorization ? "Name or password is incorrect." : "You are not authorized.";
  res.status(401).json({ error: "unauthorized", reason });
});

app.use((req, res, next) => {
  // express-pouchdb removes slashes from names of databases; ~ stands in no CouchDB name.
  req.url = req.url.replace(/^\/[^/?]+/, (database) => database.replace(/%2f/gi, "~"));
  next();
});

app.use((req, res, next) => databases(req, res, next));

const control = http.createServer(async (req, res) => {
  let text = "";
  for await (const chunk of req) text += chunk;
  const { command, ...rest } = JSON.parse(text);
  const answer = await commands[command](rest);
  res.end(JSON.stringify(answer === undefined ? null : answer));
});

const pem = fs.readFileSync(pemFile);
const servers = [http.createServer(app), https.createServer({ cert: pem, key: pem }, app)];
for (const server of servers) {
  // Connections stay open until a test closes them.
  server.keepAliveTimeout = 0;
  server.on(server === servers[0] ? "connection" : "secureConnection", (socket) => {
    connections += 1;
    socket.number = connections;
  });
}

function listening(server, at) {
  return new Promise((done) => server.listen(Number(at), "127.0.0.1", () => done()));
}

// The control port last: whoever reaches it reaches the others.
commands.listen().then(() => listening(control, controlPort));
