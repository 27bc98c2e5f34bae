// socket.io on Node, as Frappe's own realtime server is built.
import http from "node:http";
import { Server } from "socket.io";
import { port, start, webPort } from "./job.mjs";

const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });

function ask(path, headers) {
    return new Promise((resolve, reject) => {
        http.get({ host: "127.0.0.1", port: webPort, path, headers, agent }, (answer) => {
            let text = "";
            answer.setEncoding("utf8");
            answer.on("data", (part) => (text += part));
            answer.on("end", () => resolve(JSON.parse(text)));
        }).on("error", reject);
    });
}

const server = http.createServer();
const io = new Server(server, { path: "/socket.io", serveClient: false, cleanupEmptyChildNamespaces: true });
await start(io, ask);
server.listen(port, "127.0.0.1", 4096, () => console.log("up"));
