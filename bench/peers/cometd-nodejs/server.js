// The CometD project's server for Node with an echo service, as a peer for load
// programs. It has long-polling only.
import http from 'node:http';
import cometd from 'cometd-nodejs-server';

const port = Number(process.argv[2] ?? 8083);
const server = cometd.createCometDServer({ timeout: 30000, maxInterval: 30000 });

const channel = server.createServerChannel('/service/echo');
channel.addListener('message', (session, _, message, callback) => {
  session.deliver(null, '/service/echo', message.data, callback);
});

const web = http.createServer(server.handle);
web.keepAliveTimeout = 0;
web.listen(port, '127.0.0.1');
