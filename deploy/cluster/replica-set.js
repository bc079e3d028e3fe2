// Makes mongodb, mongodb-2 and mongodb-3 the replica set "eventfold", unless they are one, and waits for its primary.
try {
  rs.status();
} catch (error) {
  if (error.codeName !== "NotYetInitialized") throw error;
  rs.initiate({
    _id: "eventfold",
    members: ["mongodb", "mongodb-2", "mongodb-3"].map((host, id) => ({ _id: id, host: `${host}:27017` })),
  });
}
let tries = 0;
while (!rs.status().members.some((member) => member.stateStr === "PRIMARY")) {
  if (++tries > 120) throw new Error("the replica set has no primary after a minute");
  sleep(500);
}
