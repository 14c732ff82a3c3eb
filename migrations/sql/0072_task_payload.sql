-- An activation code is for the customer's phone: the network made it, or knows it by the profile. One audited operation tells
-- it; the payload of a network task does not.

update provisioning.provisioning_task set payload = payload - 'activationCode' where payload ? 'activationCode';
