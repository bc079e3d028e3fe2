"""The fulfilment of an order: stock is reserved, the customer charged, the order confirmed, and the stock shipped out;
or all that was done is undone, and the order cancelled."""
